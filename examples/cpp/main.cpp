// Deploys a function through the sidecar and calls it: results, deadlines, cancelling, errors, retries, traces. ../README.md tells the steps.

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include "faas.hpp"
#include "faas/v1/action.grpc.pb.h"
#include "faas/v1/invocation.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

using namespace std::chrono_literals;
using namespace faas::v1;
using nlohmann::json;

namespace {

std::string Setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

const std::string kAddress = Setting("FAAS_SIDECAR_ADDRESS", "127.0.0.1:50051");
const std::string kTarget = Setting("FAAS_TARGET", "");
const json kOrder = {{"name", "Kim"}, {"items", {{{"sku", "tea"}, {"count", 2}}, {{"sku", "cup"}, {"count", 1}}}}};

std::shared_ptr<grpc::Channel> Connect(const char* service_config) {
  grpc::ChannelArguments arguments;
  if (service_config) arguments.SetServiceConfigJSON(service_config);
  return grpc::CreateCustomChannel(kAddress, grpc::InsecureChannelCredentials(), arguments);
}

// A new one for each call.
std::unique_ptr<grpc::ClientContext> Context(std::chrono::milliseconds deadline = 10s) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + deadline);
  return context;
}

PutActionRequest Orders(const std::string& name, int memory_mb) {
  PutActionRequest request;
  request.set_target(kTarget);
  request.set_action_name(name);
  Action& action = *request.mutable_action();
  std::ifstream source("../orders.js");
  action.mutable_exec()->set_source(std::string(std::istreambuf_iterator<char>(source), {}));
  action.mutable_limits()->mutable_timeout()->set_seconds(10);
  action.mutable_limits()->set_memory_mb(memory_mb);
  const Json greeting = ToJson({{"greeting", "Hello"}});
  if (kTarget == "functiongraph") {
    action.mutable_exec()->set_runtime("Node.js18.15");
    action.mutable_exec()->set_main("index.handler");
    *action.mutable_function_graph()->mutable_user_data() = greeting;
  } else {
    action.mutable_exec()->set_runtime("nodejs:22");
    action.mutable_exec()->set_main("main");
    *action.mutable_parameters() = greeting;
    Vpc& vpc = *action.add_vpc();
    vpc.set_vpc_no(1);
    vpc.set_subnet_no(2);
  }
  return request;
}

InvokeRequest Order(const json& more = json::object(), const std::string& action = "orders") {
  json arguments = kOrder;
  arguments.update(more);
  InvokeRequest request;
  request.set_target(kTarget);
  request.set_action_name(action);
  *request.mutable_arguments() = ToJson(arguments);
  return request;
}

std::string Hex(int digits) {
  std::random_device random;
  std::string text;
  while (digits-- > 0) text += "0123456789abcdef"[random() % 16];
  return text;
}

void Require(const grpc::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error_message());
}

void Show(const char* step, const grpc::Status& status, const InvokeResponse& response) {
  Require(status);
  const json result = FromJson(response.activation().result());
  std::cout << step << ": " << result.at("message").get<std::string>() << " " << result.at("count") << " items\n";
}

// What a call that must fail failed with.
Failure Failed(const grpc::Status& status) {
  if (status.ok()) throw std::runtime_error("a call that must fail was OK");
  return Failure(status);
}

void Run() {
  auto channel = Connect(kRetryPolicy);
  auto actions = ActionService::NewStub(channel);
  auto invocations = InvocationService::NewStub(channel);
  InvokeResponse response;

  auto patient = Context();
  patient->set_wait_for_ready(true);
  grpc::health::v1::HealthCheckResponse health;
  Require(grpc::health::v1::Health::NewStub(channel)->Check(patient.get(), {}, &health));
  std::cout << "connect: " << grpc::health::v1::HealthCheckResponse::ServingStatus_Name(health.status()) << "\n";

  PutActionResponse deployed;
  Require(actions->PutAction(Context().get(), Orders("orders", 256), &deployed));
  std::cout << "deploy: " << deployed.action().name() << "\n";

  Show("invoke", invocations->Invoke(Context().get(), Order(), &response), response);

  grpc::Status status = invocations->Invoke(Context(2s).get(), Order({{"seconds", 3}}), &response);
  if (status.ok()) {
    std::cout << "deadline: " << ActivationStatus_Name(response.activation().status()) << "\n";
  } else {
    const Failure failure(status);
    std::cout << "deadline: " << failure.code << ", execution " << failure.execution << "\n";
  }

  auto context = Context();
  auto call = std::async(std::launch::async, [&] { return invocations->Invoke(context.get(), Order({{"seconds", 3}}), &response); });
  std::this_thread::sleep_for(500ms);
  context->TryCancel();
  std::cout << "cancel: " << Failed(call.get()).code << "\n";

  const Failure faults = Failed(actions->PutAction(Context().get(), Orders("or ders", 300), &deployed));
  std::cout << "faults: " << faults << "\n";
  for (const auto& field : faults.fields) std::cout << "faults: " << field << "\n";

  std::cout << "missing: " << Failed(invocations->Invoke(Context().get(), Order(json::object(), "missing"), &response)) << "\n";

  // The target has room for one call: a second one waits a moment, is refused, and told when to come again.
  auto slow = std::async(std::launch::async, [&] {
    InvokeResponse ignored;
    return invocations->Invoke(Context().get(), Order({{"seconds", 2}}), &ignored);
  });
  std::this_thread::sleep_for(500ms);
  auto impatient = InvocationService::NewStub(Connect(nullptr));
  const Failure busy = Failed(impatient->Invoke(Context().get(), Order(), &response));
  std::cout << "busy: " << busy << ", again in " << busy.retry_delay_ms.value_or(-1) << " ms\n";

  // On the channel with the policy, gRPC repeats the same call when the sidecar said.
  Show("retry", invocations->Invoke(Context().get(), Order(), &response), response);
  Require(slow.get());

  InvokeRequest once = Order();
  once.set_request_id(Hex(8) + "-" + Hex(4) + "-4" + Hex(3) + "-a" + Hex(3) + "-" + Hex(12));
  InvokeResponse again;
  Require(invocations->Invoke(Context().get(), once, &response));
  Require(invocations->Invoke(Context().get(), once, &again));
  const bool same = response.activation().activation_id() == again.activation().activation_id();
  std::cout << "request_id: " << (same ? "one run" : "two runs") << "\n";

  // An OpenTelemetry instrumentation of gRPC sends this by itself.
  const std::string trace_id = Hex(32);
  auto traced = Context();
  traced->AddMetadata("traceparent", "00-" + trace_id + "-" + Hex(16) + "-01");
  Require(invocations->Invoke(traced.get(), Order(), &response));
  std::cout << "trace: " << trace_id << "\n";

  DeleteActionRequest done;
  done.set_target(kTarget);
  done.set_action_name("orders");
  DeleteActionResponse deleted;
  Require(actions->DeleteAction(Context().get(), done, &deleted));
  std::cout << "delete: orders\n";
}

}  // namespace

int main() {
  try {
    Run();
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
