package com.example.orders;

import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.faassidecar.v1.Json;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What an application needs beside the generated code: JSON, the policy for retries, the details of errors. */
final class Faas {
  private static final Gson GSON = new Gson();

  /**
   * The sidecar's grpc-retry-pushback-ms, which grpc-java obeys, says when to repeat, or not to; these pauses are for when it cannot be reached.
   * What starts a function is not repeated after UNAVAILABLE: a sidecar that is killed says no more, and the function may have run.
   */
  static final Map<String, ?> RETRY_POLICY = Map.of("methodConfig", List.of(
      policy(List.of(Map.of()), "UNAVAILABLE", "RESOURCE_EXHAUSTED"),
      policy(List.of(
          Map.of("service", "faas.v1.InvocationService", "method", "Invoke"),
          Map.of("service", "faas.v1.InvocationService", "method", "InvokeAsync"),
          Map.of("service", "faas.v1.TriggerService", "method", "FireTrigger")), "RESOURCE_EXHAUSTED")));

  /** Numbers are doubles, as in parsed JSON. */
  private static Map<String, ?> policy(List<Map<String, String>> calls, String... codes) {
    return Map.of("name", calls, "retryPolicy", Map.of(
        "maxAttempts", 5.0, "initialBackoff", "2s", "maxBackoff", "10s", "backoffMultiplier", 2.0, "retryableStatusCodes", List.of(codes)));
  }

  static Json toJson(Object value) { return Json.newBuilder().setText(GSON.toJson(value)).build(); }
  static <T> T fromJson(Json message, Class<T> type) { return GSON.fromJson(message.getText(), type); }

  /** What an error of the sidecar says: its code, and what the details hold. */
  record Failure(Status.Code code, ErrorInfo info, List<String> fields, Duration retryDelay) {
    static Failure of(StatusRuntimeException error) {
      ErrorInfo info = ErrorInfo.getDefaultInstance();
      List<String> fields = new ArrayList<>();
      Duration retryDelay = Duration.ZERO;
      try {
        for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
          if (detail.is(ErrorInfo.class)) {
            info = detail.unpack(ErrorInfo.class);
          } else if (detail.is(BadRequest.class)) {
            detail.unpack(BadRequest.class).getFieldViolationsList().forEach(violation -> fields.add(violation.getField()));
          } else if (detail.is(RetryInfo.class)) {
            var delay = detail.unpack(RetryInfo.class).getRetryDelay();
            retryDelay = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
          }
        }
      } catch (InvalidProtocolBufferException broken) {
        throw new IllegalStateException("a detail of the error is cut off", broken);
      }
      return new Failure(error.getStatus().getCode(), info, fields, retryDelay);
    }

    /** Whether the function may have run: not_started, unknown or completed. Without details nobody knows. */
    String execution() {
      return info.getMetadataOrDefault("execution", "unknown");
    }

    @Override
    public String toString() {
      return "%s %s, execution %s".formatted(code, info.getReason(), execution());
    }
  }

  private Faas() {}
}
