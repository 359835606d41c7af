package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"google.golang.org/grpc"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// What one generation of the reflection service says: the names of the services beside itself, and the file of a symbol with all that it imports.
type reflected struct {
	services []string
	files    [][]byte
}

func (said *reflected) add(service string) {
	if !strings.HasPrefix(service, "grpc.reflection.") {
		said.services = append(said.services, service)
	}
}

const symbol = "faas.v1.InvocationService"

// reflection asks both generations of the service with the stock stubs of each, and compares.
func reflection(connection *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	now, err := present(ctx, connection)
	if err != nil {
		return fmt.Errorf("v1: %w", err)
	}
	before, err := former(ctx, connection)
	if err != nil {
		return fmt.Errorf("v1alpha: %w", err)
	}
	if fmt.Sprint(now) != fmt.Sprint(before) {
		return fmt.Errorf("v1 and v1alpha differ: %v, %v", now.services, before.services)
	}
	comments := 0
	for _, text := range now.files {
		file := new(descriptorpb.FileDescriptorProto)
		if err := proto.Unmarshal(text, file); err != nil {
			return err
		}
		for _, place := range file.GetSourceCodeInfo().GetLocation() {
			if place.GetLeadingComments() != "" {
				comments++
			}
		}
	}
	if comments == 0 {
		return fmt.Errorf("the file of %s has no comments", symbol)
	}
	fmt.Printf("v1 and v1alpha say the same: %s, with %d comments in the file of %s\n", strings.Join(now.services, ", "), comments, symbol)
	return nil
}

func present(ctx context.Context, connection *grpc.ClientConn) (reflected, error) {
	var said reflected
	stream, err := v1.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	if err != nil {
		return said, err
	}
	list := &v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_ListServices{}}
	file := &v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}}
	for _, ask := range []*v1.ServerReflectionRequest{list, file} {
		if err := stream.Send(ask); err != nil {
			return said, err
		}
		answer, err := stream.Recv()
		if err != nil {
			return said, err
		}
		for _, service := range answer.GetListServicesResponse().GetService() {
			said.add(service.GetName())
		}
		said.files = append(said.files, answer.GetFileDescriptorResponse().GetFileDescriptorProto()...)
	}
	sort.Strings(said.services)
	return said, stream.CloseSend()
}

func former(ctx context.Context, connection *grpc.ClientConn) (reflected, error) {
	var said reflected
	stream, err := v1alpha.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	if err != nil {
		return said, err
	}
	list := &v1alpha.ServerReflectionRequest{MessageRequest: &v1alpha.ServerReflectionRequest_ListServices{}}
	file := &v1alpha.ServerReflectionRequest{MessageRequest: &v1alpha.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}}
	for _, ask := range []*v1alpha.ServerReflectionRequest{list, file} {
		if err := stream.Send(ask); err != nil {
			return said, err
		}
		answer, err := stream.Recv()
		if err != nil {
			return said, err
		}
		for _, service := range answer.GetListServicesResponse().GetService() {
			said.add(service.GetName())
		}
		said.files = append(said.files, answer.GetFileDescriptorResponse().GetFileDescriptorProto()...)
	}
	sort.Strings(said.services)
	return said, stream.CloseSend()
}
