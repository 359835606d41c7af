// Deploys a function through the sidecar and calls it: results, deadlines, cancelling, errors, retries, traces. ../README.md tells the steps.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	faasv1 "example.com/orders/gen/faas/v1"
)

var (
	address = cmp.Or(os.Getenv("FAAS_SIDECAR_ADDRESS"), "127.0.0.1:50051") // or unix:/absolute/path
	target  = os.Getenv("FAAS_TARGET")
)

type item struct {
	SKU   string `json:"sku"`
	Count int    `json:"count"`
}

type order struct {
	Name    string `json:"name"`
	Items   []item `json:"items"`
	Seconds int    `json:"seconds,omitempty"` // how long the function takes
}

type answer struct {
	Message string `json:"message"`
	Count   int    `json:"count"`
}

func kims(seconds int) order {
	return order{Name: "Kim", Items: []item{{"tea", 2}, {"cup", 1}}, Seconds: seconds}
}

func main() {
	conn := dial(grpc.WithDefaultServiceConfig(retryPolicy))
	defer conn.Close()
	actions, invocations := faasv1.NewActionServiceClient(conn), faasv1.NewInvocationServiceClient(conn)

	connect(conn)
	deploy(actions)
	invoke(invocations)
	deadline(invocations)
	cancelled(invocations)
	faults(actions)
	missing(invocations)
	busyAndRetry(invocations)
	requestID(invocations)
	trace(invocations)
	remove(actions)
}

func dial(options ...grpc.DialOption) *grpc.ClientConn {
	plaintext := grpc.WithTransportCredentials(insecure.NewCredentials())
	conn, err := grpc.NewClient(address, append(options, plaintext)...)
	check(err)
	return conn
}

func connect(conn *grpc.ClientConn) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	health, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	check(err)
	fmt.Println("connect:", health.Status)
}

func deploy(actions faasv1.ActionServiceClient) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	response, err := actions.PutAction(ctx, &faasv1.PutActionRequest{Target: target, ActionName: "orders", Action: ordersAction()})
	check(err)
	fmt.Println("deploy:", response.Action.Name)
}

func ordersAction() *faasv1.Action {
	source, err := os.ReadFile("../orders.js")
	check(err)
	greeting, err := toJSON(map[string]string{"greeting": "Hello"})
	check(err)
	action := &faasv1.Action{
		Exec:   &faasv1.Exec{Runtime: "nodejs:22", Main: "main", Code: &faasv1.Exec_Source{Source: string(source)}},
		Limits: &faasv1.Limits{Timeout: durationpb.New(10 * time.Second), MemoryMb: 256},
	}
	if target == "functiongraph" {
		action.Exec.Runtime, action.Exec.Main = "Node.js18.15", "index.handler"
		action.FunctionGraph = &faasv1.FunctionGraphAction{UserData: greeting}
	} else {
		action.Parameters = greeting
		action.Vpc = []*faasv1.Vpc{{VpcNo: 1, SubnetNo: 2}}
	}
	return action
}

func invoke(invocations faasv1.InvocationServiceClient) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	response, err := invocations.Invoke(ctx, request(kims(0)))
	check(err)
	show("invoke", response)
}

func request(arguments any) *faasv1.InvokeRequest {
	json, err := toJSON(arguments)
	check(err)
	return &faasv1.InvokeRequest{Target: target, ActionName: "orders", Arguments: json}
}

func show(step string, response *faasv1.InvokeResponse) {
	var result answer
	check(fromJSON(response.Activation.Result, &result))
	fmt.Printf("%s: %s %d items\n", step, result.Message, result.Count)
}

func deadline(invocations faasv1.InvocationServiceClient) {
	ctx, cancel := within(2 * time.Second)
	defer cancel()
	response, err := invocations.Invoke(ctx, request(kims(3)))
	if err != nil {
		failed := failureOf(err)
		fmt.Printf("deadline: %s, execution %s\n", failed.code, failed.execution())
		return
	}
	fmt.Println("deadline:", response.Activation.Status)
}

func cancelled(invocations faasv1.InvocationServiceClient) {
	ctx, cancel := within(10 * time.Second)
	time.AfterFunc(500*time.Millisecond, cancel)
	_, err := invocations.Invoke(ctx, request(kims(3)))
	fmt.Println("cancel:", refused(err).code)
}

func faults(actions faasv1.ActionServiceClient) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	wrong := ordersAction()
	wrong.Limits.MemoryMb = 300
	_, err := actions.PutAction(ctx, &faasv1.PutActionRequest{Target: target, ActionName: "or ders", Action: wrong})
	failed := refused(err)
	fmt.Println("faults:", failed)
	for _, field := range slices.Sorted(slices.Values(failed.fields)) {
		fmt.Println("faults:", field)
	}
}

func missing(invocations faasv1.InvocationServiceClient) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	absent := request(kims(0))
	absent.ActionName = "missing"
	_, err := invocations.Invoke(ctx, absent)
	fmt.Println("missing:", refused(err))
}

// busyAndRetry fills the target, which has room for one call, with a slow one: others are refused, and told when to come again.
func busyAndRetry(invocations faasv1.InvocationServiceClient) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	slow := make(chan error)
	go func() {
		_, err := invocations.Invoke(ctx, request(kims(2)))
		slow <- err
	}()
	time.Sleep(500 * time.Millisecond)

	impatient := dial(grpc.WithDisableRetry())
	defer impatient.Close()
	_, err := faasv1.NewInvocationServiceClient(impatient).Invoke(ctx, request(kims(0)))
	failed := refused(err)
	fmt.Printf("busy: %s, again in %d ms\n", failed, failed.retryDelay.Milliseconds())

	// The same call on the connection with the policy is repeated by grpc-go, when the sidecar said.
	response, err := invocations.Invoke(ctx, request(kims(0)))
	check(err)
	show("retry", response)
	check(<-slow)
}

func requestID(invocations faasv1.InvocationServiceClient) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	once := request(kims(0))
	once.RequestId = rand.Text()
	first, err := invocations.Invoke(ctx, once)
	check(err)
	second, err := invocations.Invoke(ctx, once)
	check(err)
	if first.Activation.ActivationId != second.Activation.ActivationId {
		log.Fatal("two runs under one request_id")
	}
	fmt.Println("request_id: one run")
}

// trace makes a trace context by hand: the OpenTelemetry instrumentation of grpc-go sends this metadata by itself.
func trace(invocations faasv1.InvocationServiceClient) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	ids := make([]byte, 24)
	rand.Read(ids)
	traceparent := fmt.Sprintf("00-%x-%x-01", ids[:16], ids[16:])
	_, err := invocations.Invoke(metadata.AppendToOutgoingContext(ctx, "traceparent", traceparent), request(kims(0)))
	check(err)
	fmt.Printf("trace: %x\n", ids[:16])
}

func remove(actions faasv1.ActionServiceClient) {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	_, err := actions.DeleteAction(ctx, &faasv1.DeleteActionRequest{Target: target, ActionName: "orders"})
	check(err)
	fmt.Println("delete: orders")
}

func within(limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), limit)
}

// refused reads the error of a call that must fail.
func refused(err error) failure {
	if err == nil {
		log.Fatal("a call that must fail went well")
	}
	return failureOf(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
