package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A call that must fail, as cases.json has it.
type failing struct {
	Name, Method string
	Request      json.RawMessage
}

// codes makes the calls of the file and prints what each failed with, one JSON object a line: code, message and every detail.
func codes(connection *grpc.ClientConn, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var cases []failing
	if err := json.Unmarshal(text, &cases); err != nil {
		return err
	}
	for _, one := range cases {
		seen, err := fails(connection, one)
		if err != nil {
			return fmt.Errorf("%s: %w", one.Name, err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
			return err
		}
	}
	return nil
}

func fails(connection *grpc.ClientConn, one failing) (map[string]any, error) {
	service, method, _ := strings.Cut(one.Method, "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, err
	}
	described := found.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(method))
	request, answer := message(described.Input()), message(described.Output())
	if err := protojson.Unmarshal(one.Request, request); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	failed := connection.Invoke(ctx, "/"+one.Method, request, answer)
	if failed == nil {
		return nil, fmt.Errorf("the call went well")
	}
	told := status.Convert(failed)
	details := map[string]any{}
	for _, detail := range told.Details() {
		known, ok := detail.(proto.Message)
		if !ok {
			return nil, fmt.Errorf("a detail cannot be decoded: %v", detail)
		}
		text, err := protojson.Marshal(known)
		if err != nil {
			return nil, err
		}
		var tree any
		if err := json.Unmarshal(text, &tree); err != nil {
			return nil, err
		}
		details[string(known.ProtoReflect().Descriptor().Name())] = steady(tree)
	}
	return map[string]any{"name": one.Name, "code": int(told.Code()), "message": told.Message(), "details": details}, nil
}

func message(described protoreflect.MessageDescriptor) proto.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(described.FullName())
	if err != nil {
		panic(err)
	}
	return kind.New().Interface()
}

// steady is the tree without the pauses, which are random.
func steady(tree any) any {
	if fields, ok := tree.(map[string]any); ok {
		names := make([]string, 0, len(fields))
		for name := range fields {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if name == "retryDelay" {
				fields[name] = "some"
			}
		}
	}
	return tree
}
