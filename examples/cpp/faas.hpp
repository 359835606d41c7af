// What an application needs beside the generated code: JSON, the details of errors, the policy for retries.
#pragma once

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include "faas/v1/common.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

// The sidecar's grpc-retry-pushback-ms, which gRPC obeys, says when to repeat, or not to; these pauses are for when it cannot be reached.
// What starts a function is not repeated after UNAVAILABLE: a sidecar that is killed says no more, and the function may have run.
inline constexpr const char* kRetryPolicy = R"({"methodConfig": [
  {"name": [{}], "retryPolicy": {
    "maxAttempts": 5, "initialBackoff": "2s", "maxBackoff": "10s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}},
  {"name": [{"service": "faas.v1.InvocationService", "method": "Invoke"}, {"service": "faas.v1.InvocationService", "method": "InvokeAsync"},
    {"service": "faas.v1.TriggerService", "method": "FireTrigger"}], "retryPolicy": {
    "maxAttempts": 5, "initialBackoff": "2s", "maxBackoff": "10s", "backoffMultiplier": 2, "retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]})";

inline faas::v1::Json ToJson(const nlohmann::json& value) { faas::v1::Json json; json.set_text(value.dump()); return json; }
inline nlohmann::json FromJson(const faas::v1::Json& message) { return nlohmann::json::parse(message.text()); }

// A failed call: its code, reason and execution, and what its details say beside that.
struct Failure {
  grpc::StatusCode code;
  std::string reason;
  std::string execution = "unknown";  // Whether the function may have run: not_started, unknown, completed. Without details nobody knows.
  std::vector<std::string> fields;
  std::optional<int64_t> retry_delay_ms;

  explicit Failure(const grpc::Status& status) : code(status.error_code()) {
    google::rpc::Status details;
    if (!details.ParseFromString(status.error_details())) return;
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest request;
    google::rpc::RetryInfo retry;
    for (const auto& packed : details.details()) {
      if (packed.UnpackTo(&info)) {
        reason = info.reason();
        if (auto found = info.metadata().find("execution"); found != info.metadata().end()) execution = found->second;
      } else if (packed.UnpackTo(&request)) {
        for (const auto& violation : request.field_violations()) fields.push_back(violation.field());
        std::sort(fields.begin(), fields.end());
      } else if (packed.UnpackTo(&retry)) {
        retry_delay_ms = google::protobuf::util::TimeUtil::DurationToMilliseconds(retry.retry_delay());
      }
    }
  }
};

// gRPC C++ has no names of its codes.
inline std::ostream& operator<<(std::ostream& out, grpc::StatusCode code) {
  static constexpr const char* kNames[] = {
      "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
      "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};
  return out << kNames[code];
}

inline std::ostream& operator<<(std::ostream& out, const Failure& failure) {
  return out << failure.code << " " << failure.reason << ", execution " << failure.execution;
}
