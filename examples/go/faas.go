package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	faasv1 "example.com/orders/gen/faas/v1"
)

// The sidecar's grpc-retry-pushback-ms, which grpc-go obeys, says when to repeat, or not to; these pauses are for when it cannot be reached.
// What starts a function is not repeated after UNAVAILABLE: a sidecar that is killed says no more, and the function may have run.
const retryPolicy = `{"methodConfig": [
	{"name": [{}], "retryPolicy": {
		"maxAttempts": 5, "initialBackoff": "2s", "maxBackoff": "10s", "backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}},
	{"name": [{"service": "faas.v1.InvocationService", "method": "Invoke"}, {"service": "faas.v1.InvocationService", "method": "InvokeAsync"},
		{"service": "faas.v1.TriggerService", "method": "FireTrigger"}], "retryPolicy": {
		"maxAttempts": 5, "initialBackoff": "2s", "maxBackoff": "10s", "backoffMultiplier": 2, "retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]}`

func toJSON(value any) (*faasv1.Json, error) {
	text, err := json.Marshal(value)
	return &faasv1.Json{Encoding: &faasv1.Json_Text{Text: string(text)}}, err
}

func fromJSON(message *faasv1.Json, value any) error {
	return json.Unmarshal([]byte(message.GetText()), value)
}

// failure is what an error of the sidecar says: its code, and what the details hold.
type failure struct {
	code       codes.Code
	info       *errdetails.ErrorInfo
	fields     []string      // of the request, when they break rules
	retryDelay time.Duration // after which the call may be repeated
}

func failureOf(err error) failure {
	failed := failure{code: status.Code(err)}
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			failed.info = detail
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				failed.fields = append(failed.fields, violation.Field)
			}
		case *errdetails.RetryInfo:
			failed.retryDelay = detail.RetryDelay.AsDuration()
		}
	}
	return failed
}

// execution says whether the function may have run: not_started, unknown or completed. Without details nobody knows.
func (f failure) execution() string {
	return cmp.Or(f.info.GetMetadata()["execution"], "unknown")
}

func (f failure) String() string {
	return fmt.Sprintf("%s %s, execution %s", f.code, f.info.GetReason(), f.execution())
}
