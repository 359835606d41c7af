package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	faasv1 "conformance/gen/faas/v1"
)

// A connection that counts how often it was made.
func counted(address string, options ...grpc.DialOption) (*grpc.ClientConn, *atomic.Int64, error) {
	made := new(atomic.Int64)
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		stream, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			made.Add(1)
		}
		return stream, err
	}
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial))
	connection, err := grpc.NewClient("passthrough:///"+address, options...)
	return connection, made, err
}

// run calls the action with the id as argument, and checks that the result is its own.
func run(client faasv1.InvocationServiceClient, action, id string, options ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	arguments := fmt.Sprintf(`{"id":%q}`, id)
	call := &faasv1.InvokeRequest{ActionName: action, Arguments: &faasv1.Json{Encoding: &faasv1.Json_Text{Text: arguments}}}
	answer, err := client.Invoke(ctx, call, options...)
	if err != nil {
		return err
	}
	if got := answer.GetActivation().GetResult().GetText(); got != arguments {
		return fmt.Errorf("%s got the result %q", id, got)
	}
	return nil
}

// carriedOut fails unless each id was carried out just once.
func carriedOut(upstream, prefix string, calls int) error {
	answer, err := http.Get("http://" + upstream + "/runs")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	runs := map[string]int{}
	if err := json.NewDecoder(answer.Body).Decode(&runs); err != nil {
		return err
	}
	seen := 0
	for id, times := range runs {
		if strings.HasPrefix(id, prefix) {
			seen++
			if times != 1 {
				return fmt.Errorf("%s was carried out %d times", id, times)
			}
		}
	}
	if seen != calls {
		return fmt.Errorf("%d of %d calls were carried out", seen, calls)
	}
	return nil
}

// streams makes calls one after the other, then many at once, all on one connection.
func streams(address, upstream string) error {
	const after, atOnce = 10_000, 1_000
	connection, made, err := counted(address)
	if err != nil {
		return err
	}
	defer connection.Close()
	client := faasv1.NewInvocationServiceClient(connection)
	began := time.Now()
	for call := range after {
		if err := run(client, "echo", fmt.Sprintf("one-%d", call)); err != nil {
			return fmt.Errorf("call %d: %w", call, err)
		}
	}
	took := time.Since(began)
	failures := make(chan error, atOnce)
	for call := range atOnce {
		go func() { failures <- run(client, fmt.Sprintf("together-%d", atOnce), fmt.Sprintf("many-%d", call)) }()
	}
	for range atOnce {
		if err := <-failures; err != nil {
			return err
		}
	}
	if made.Load() != 1 {
		return fmt.Errorf("%d connections were made", made.Load())
	}
	if err := carriedOut(upstream, "one-", after); err != nil {
		return err
	}
	if err := carriedOut(upstream, "many-", atOnce); err != nil {
		return err
	}
	fmt.Printf("%d calls one after the other (%d a second), then %d at once, on one connection, each carried out once\n",
		after, int(after/took.Seconds()), atOnce)
	return nil
}

// A sidecar process on a fixed address.
func sidecar(address string) (*exec.Cmd, error) {
	process := exec.Command(os.Getenv("FAAS_SIDECAR"), "serve", "--config", os.Getenv("CONFIG"), "--listen", address, "--log-level", "error")
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if stream, err := net.Dial("tcp", address); err == nil {
			return process, stream.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, fmt.Errorf("no sidecar at %s", address)
}

// successor starts a sidecar as soon as the one before has left the address, which it does when its drain begins.
func successor(address string) (*exec.Cmd, error) {
	for range 200 {
		stream, err := net.Dial("tcp", address)
		if err != nil {
			return sidecar(address)
		}
		stream.Close()
		time.Sleep(5 * time.Millisecond)
	}
	return nil, fmt.Errorf("the sidecar that was told to end still listens at %s", address)
}

// restarts ends the sidecar by SIGTERM again and again while calls run, and starts another one at its address.
func restarts(upstream string) error {
	const callers, times = 8, 4
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := free.Addr().String()
	free.Close()
	process, err := sidecar(address)
	if err != nil {
		return err
	}
	soon := grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1, MaxDelay: 20 * time.Millisecond}}
	connection, made, err := counted(address, grpc.WithConnectParams(soon))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := faasv1.NewInvocationServiceClient(connection)
	var calls atomic.Int64
	var done atomic.Bool
	var all sync.WaitGroup
	failures := make(chan error, callers)
	for range callers {
		all.Go(func() {
			for !done.Load() {
				id := fmt.Sprintf("restart-%d", calls.Add(1))
				action := fmt.Sprintf("slow-%d", 1+rand.IntN(30))
				if err := run(client, action, id, grpc.WaitForReady(true)); err != nil {
					failures <- fmt.Errorf("%s: %w", id, err)
					return
				}
			}
		})
	}
	for range times {
		time.Sleep(500 * time.Millisecond)
		if err := process.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		old := process
		if process, err = successor(address); err != nil {
			return err
		}
		if err := old.Wait(); err != nil {
			return fmt.Errorf("the sidecar that was told to end: %w", err)
		}
	}
	time.Sleep(500 * time.Millisecond)
	done.Store(true)
	all.Wait()
	_ = process.Process.Signal(syscall.SIGTERM)
	_ = process.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	if err := carriedOut(upstream, "restart-", int(calls.Load())); err != nil {
		return err
	}
	if made.Load() <= times {
		return fmt.Errorf("%d connections for %d sidecars", made.Load(), times+1)
	}
	fmt.Printf("%d calls through %d restarts under load: none failed, each carried out once\n", calls.Load(), times)
	return nil
}

// idle calls again at about the moment in which the sidecar says goodbye to an idle connection: after one to two idle_timeouts, which are 1 s.
func idle(address, upstream string) error {
	const callers, times = 24, 5
	var all sync.WaitGroup
	failures := make(chan error, callers)
	var connections atomic.Int64
	for caller := range callers {
		all.Go(func() {
			connection, made, err := counted(address)
			if err != nil {
				failures <- err
				return
			}
			defer connection.Close()
			client := faasv1.NewInvocationServiceClient(connection)
			for call := range times {
				if err := run(client, "echo", fmt.Sprintf("idle-%d-%d", caller, call), grpc.WaitForReady(true)); err != nil {
					failures <- err
					return
				}
				time.Sleep(time.Duration(900+rand.IntN(1200)) * time.Millisecond)
			}
			connections.Add(made.Load())
		})
	}
	all.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	if err := carriedOut(upstream, "idle-", callers*times); err != nil {
		return err
	}
	if connections.Load() < callers*3/2 {
		return fmt.Errorf("few idle connections were sent away: %d connections of %d callers", connections.Load(), callers)
	}
	fmt.Printf("%d calls about the time in which idle connections are sent away, on %d connections: none failed, each carried out once\n",
		callers*times, connections.Load())
	return nil
}
