// A stock gRPC client in Go: codes and their details, gzip, many streams, restarts and goodbyes under load, reflection.
//
//	client codes ADDRESS CASES
//	client gzip ADDRESS
//	client reflection ADDRESS
//	client streams ADDRESS UPSTREAM
//	client idle ADDRESS UPSTREAM
//	client restarts UPSTREAM (with FAAS_SIDECAR, a binary, and CONFIG, its configuration)
package main

import (
	"fmt"
	"os"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	if err := do(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n", os.Args[1:], err)
		os.Exit(1)
	}
}

func do(words []string) error {
	if len(words) == 2 && words[0] == "restarts" {
		return restarts(words[1])
	}
	if len(words) < 2 {
		return fmt.Errorf("say what to do, and where")
	}
	connection, err := grpc.NewClient(words[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	switch {
	case words[0] == "codes" && len(words) == 3:
		return codes(connection, words[2])
	case words[0] == "gzip":
		return compressed(words[1])
	case words[0] == "reflection":
		return reflection(connection)
	case words[0] == "streams" && len(words) == 3:
		return streams(words[1], words[2])
	case words[0] == "idle" && len(words) == 3:
		return idle(words[1], words[2])
	}
	return fmt.Errorf("there is no such thing to do")
}
