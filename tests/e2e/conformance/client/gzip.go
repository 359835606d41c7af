package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/stats"

	faasv1 "conformance/gen/faas/v1"
)

// wire counts the bytes of messages as they go over the connection, and what they are unpacked.
type wire struct{ sent, got, unpacked atomic.Int64 }

func (wire *wire) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (wire *wire) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (wire *wire) HandleConn(context.Context, stats.ConnStats)                       {}
func (wire *wire) HandleRPC(_ context.Context, event stats.RPCStats) {
	switch event := event.(type) {
	case *stats.OutPayload:
		wire.sent.Add(int64(event.CompressedLength))
	case *stats.InPayload:
		wire.got.Add(int64(event.CompressedLength))
		wire.unpacked.Add(int64(event.Length))
	}
}

// compressed sends and gets a message of a megabyte that packs well, with gzip and without.
func compressed(address string) error {
	const size = 1_000_000
	text := `"` + strings.Repeat("x", size) + `"`
	arguments := fmt.Sprintf(`{"text":%s}`, text[:size/2]+`"`)
	for _, packs := range []bool{true, false} {
		seen := new(wire)
		connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStatsHandler(seen))
		if err != nil {
			return err
		}
		defer connection.Close()
		var options []grpc.CallOption
		if packs {
			options = append(options, grpc.UseCompressor(gzip.Name))
		}
		call := &faasv1.InvokeRequest{ActionName: "echo", Arguments: &faasv1.Json{Encoding: &faasv1.Json_Text{Text: arguments}}}
		answer, err := faasv1.NewInvocationServiceClient(connection).Invoke(context.Background(), call, options...)
		if err != nil {
			return err
		}
		if answer.GetActivation().GetResult().GetText() != arguments {
			return fmt.Errorf("the result is not what was sent")
		}
		sent, got := seen.sent.Load(), seen.got.Load()
		if small := sent < 10_000 && got < 10_000; small != packs || seen.unpacked.Load() < size/2 {
			return fmt.Errorf("gzip %v: %d bytes sent, %d got", packs, sent, got)
		}
		if packs {
			fmt.Printf("gzip both ways: %d bytes sent as %d, the answer came as %d\n", len(arguments), sent, got)
		}
	}
	return nil
}
