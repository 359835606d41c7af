// A cloud whose functions do what their names say: an HTTP server that answers runs of NAVER Cloud Functions.
//
//	echo            returns its arguments
//	size-N          returns a text of N bytes
//	slow-N          takes N ms
//	together-N      answers when N runs of it are there at once
//	fail-S-C        HTTP status S with the service's error code C; without C, a page
//	page            a proxy's page instead of an answer
//
// A run whose arguments have an "id" is counted: GET /runs tells how often each was carried out. GET /left tells how many runs lost their caller.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type cloud struct {
	lock    sync.Mutex
	runs    map[string]int
	waiting map[string]chan struct{}
	present map[string]int
	left    atomic.Int64
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[1], []byte(listener.Addr().String()), 0o600); err != nil {
		log.Fatal(err)
	}
	here := &cloud{runs: map[string]int{}, waiting: map[string]chan struct{}{}, present: map[string]int{}}
	log.Fatal(http.Serve(listener, here))
}

func (here *cloud) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	switch {
	case request.URL.Path == "/runs":
		here.lock.Lock()
		defer here.lock.Unlock()
		_ = json.NewEncoder(answer).Encode(here.runs)
	case request.URL.Path == "/left":
		fmt.Fprint(answer, here.left.Load())
	case request.Method == http.MethodPost:
		arguments, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		here.count(arguments)
		here.run(answer, request, path.Base(request.URL.Path), arguments)
	default:
		fail(answer, http.StatusNotFound, "80301")
	}
}

func (here *cloud) count(arguments []byte) {
	var run struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(arguments, &run) != nil || run.ID == "" {
		return
	}
	here.lock.Lock()
	defer here.lock.Unlock()
	here.runs[run.ID]++
}

func (here *cloud) run(answer http.ResponseWriter, request *http.Request, action string, arguments []byte) {
	kind, rest, _ := strings.Cut(action, "-")
	number, _ := strconv.Atoi(rest)
	switch kind {
	case "size":
		succeed(answer, fmt.Sprintf("%q", strings.Repeat("x", number)))
		return
	case "slow":
		select {
		case <-time.After(time.Duration(number) * time.Millisecond):
		case <-request.Context().Done():
			here.left.Add(1)
			return
		}
	case "together":
		select {
		case <-here.meet(action, number):
		case <-request.Context().Done():
			return
		}
	case "fail":
		status, code, _ := strings.Cut(rest, "-")
		number, _ := strconv.Atoi(status)
		fail(answer, number, code)
		return
	case "page":
		answer.Header().Set("Content-Type", "text/html")
		fmt.Fprint(answer, "<html><body>Sign in</body></html>")
		return
	}
	succeed(answer, string(arguments))
}

// meet gives a channel that is closed when as many runs of the action are waiting as it asks for.
func (here *cloud) meet(action string, number int) <-chan struct{} {
	here.lock.Lock()
	defer here.lock.Unlock()
	if here.waiting[action] == nil {
		here.waiting[action] = make(chan struct{})
	}
	all := here.waiting[action]
	here.present[action]++
	if here.present[action] == number {
		close(all)
	}
	return all
}

func succeed(answer http.ResponseWriter, result string) {
	answer.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(answer, `{"content":{"activationId":"0f3c2b1a0f3c2b1a0f3c2b1a0f3c2b1a","duration":3,`+
		`"response":{"result":%s,"status":"success","success":true}}}`, result)
}

func fail(answer http.ResponseWriter, status int, code string) {
	if code == "" {
		http.Error(answer, http.StatusText(status), status)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(status)
	fmt.Fprintf(answer, `{"error":{"errorCode":%q,"message":"","details":""}}`, code)
}
