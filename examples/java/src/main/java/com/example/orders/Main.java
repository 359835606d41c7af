package com.example.orders;

import static com.example.orders.Faas.RETRY_POLICY;
import static com.example.orders.Faas.fromJson;
import static com.example.orders.Faas.toJson;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.example.orders.Faas.Failure;
import com.google.protobuf.Duration;
import io.faassidecar.v1.Action;
import io.faassidecar.v1.ActionServiceGrpc;
import io.faassidecar.v1.ActionServiceGrpc.ActionServiceBlockingStub;
import io.faassidecar.v1.DeleteActionRequest;
import io.faassidecar.v1.Exec;
import io.faassidecar.v1.FunctionGraphAction;
import io.faassidecar.v1.InvocationServiceGrpc;
import io.faassidecar.v1.InvocationServiceGrpc.InvocationServiceBlockingStub;
import io.faassidecar.v1.InvokeRequest;
import io.faassidecar.v1.InvokeResponse;
import io.faassidecar.v1.Limits;
import io.faassidecar.v1.PutActionRequest;
import io.faassidecar.v1.Vpc;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutionException;

/** Deploys a function through the sidecar and calls it: results, deadlines, cancelling, errors, retries, traces. ../README.md tells the steps. */
public final class Main {
  record Item(String sku, int count) {}

  record Order(String name, List<Item> items, int seconds) {}

  record Answer(String message, int count) {}

  private static final String ADDRESS = System.getenv().getOrDefault("FAAS_SIDECAR_ADDRESS", "127.0.0.1:50051"); // or unix:/absolute/path
  private static final String TARGET = System.getenv().getOrDefault("FAAS_TARGET", "");

  private final ManagedChannel channel = open().defaultServiceConfig(RETRY_POLICY).build();

  private static ManagedChannelBuilder<?> open() {
    return Grpc.newChannelBuilder(ADDRESS, InsecureChannelCredentials.create());
  }

  public static void main(String[] arguments) throws Exception {
    var main = new Main();
    try {
      main.connect();
      main.deploy();
      main.invoke();
      main.deadline();
      main.cancel();
      main.faults();
      main.missing();
      main.busyAndRetry();
      main.requestId();
      main.trace();
      main.delete();
    } finally {
      main.channel.shutdownNow().awaitTermination(10, SECONDS);
    }
  }

  private ActionServiceBlockingStub actions() {
    return ActionServiceGrpc.newBlockingStub(channel).withDeadlineAfter(10, SECONDS);
  }

  private InvocationServiceBlockingStub invocations() {
    return InvocationServiceGrpc.newBlockingStub(channel).withDeadlineAfter(10, SECONDS);
  }

  private void connect() {
    var health = HealthGrpc.newBlockingStub(channel).withDeadlineAfter(10, SECONDS).withWaitForReady();
    System.out.println("connect: " + health.check(HealthCheckRequest.getDefaultInstance()).getStatus());
  }

  private void deploy() throws IOException {
    var request = PutActionRequest.newBuilder().setTarget(TARGET).setActionName("orders").setAction(ordersAction());
    System.out.println("deploy: " + actions().putAction(request.build()).getAction().getName());
  }

  private static Action.Builder ordersAction() throws IOException {
    var exec = Exec.newBuilder().setSource(Files.readString(Path.of("../orders.js")));
    var limits = Limits.newBuilder().setTimeout(Duration.newBuilder().setSeconds(10)).setMemoryMb(256);
    var greeting = toJson(Map.of("greeting", "Hello"));
    if (TARGET.equals("functiongraph")) {
      return Action.newBuilder().setLimits(limits)
          .setExec(exec.setRuntime("Node.js18.15").setMain("index.handler"))
          .setFunctionGraph(FunctionGraphAction.newBuilder().setUserData(greeting));
    }
    return Action.newBuilder().setLimits(limits)
        .setExec(exec.setRuntime("nodejs:22").setMain("main"))
        .setParameters(greeting)
        .addVpc(Vpc.newBuilder().setVpcNo(1).setSubnetNo(2));
  }

  /** The request of Kim's order, whose function takes so many seconds. */
  private static InvokeRequest.Builder order(int seconds) {
    var order = new Order("Kim", List.of(new Item("tea", 2), new Item("cup", 1)), seconds);
    return InvokeRequest.newBuilder().setTarget(TARGET).setActionName("orders").setArguments(toJson(order));
  }

  private void invoke() {
    show("invoke", invocations().invoke(order(0).build()));
  }

  private static void show(String step, InvokeResponse response) {
    var answer = fromJson(response.getActivation().getResult(), Answer.class);
    System.out.printf("%s: %s %d items%n", step, answer.message(), answer.count());
  }

  private void deadline() {
    try {
      var response = invocations().withDeadlineAfter(2, SECONDS).invoke(order(3).build());
      System.out.println("deadline: " + response.getActivation().getStatus());
    } catch (StatusRuntimeException error) {
      var failure = Failure.of(error);
      System.out.printf("deadline: %s, execution %s%n", failure.code(), failure.execution());
    }
  }

  private void cancel() throws Exception {
    try (var context = Context.current().withCancellation()) {
      var invocations = InvocationServiceGrpc.newFutureStub(channel).withDeadlineAfter(10, SECONDS);
      var call = context.call(() -> invocations.invoke(order(3).build()));
      Thread.sleep(500);
      context.cancel(null);
      call.get();
      throw new IllegalStateException("a cancelled call came to an end");
    } catch (ExecutionException error) {
      System.out.println("cancel: " + Status.fromThrowable(error).getCode());
    }
  }

  private void faults() throws IOException {
    var wrong = PutActionRequest.newBuilder().setTarget(TARGET).setActionName("or ders").setAction(ordersAction());
    wrong.getActionBuilder().getLimitsBuilder().setMemoryMb(300);
    try {
      actions().putAction(wrong.build());
      throw new IllegalStateException("a name with a space was taken");
    } catch (StatusRuntimeException error) {
      var failure = Failure.of(error);
      System.out.println("faults: " + failure);
      failure.fields().stream().sorted().forEach(field -> System.out.println("faults: " + field));
    }
  }

  private void missing() {
    try {
      invocations().invoke(order(0).setActionName("missing").build());
      throw new IllegalStateException("an action that is not there was run");
    } catch (StatusRuntimeException error) {
      System.out.println("missing: " + Failure.of(error));
    }
  }

  /** Fills the target, which has room for one call, with a slow one: others are refused, and told when to come again. */
  private void busyAndRetry() throws Exception {
    var slow = InvocationServiceGrpc.newFutureStub(channel).withDeadlineAfter(10, SECONDS).invoke(order(2).build());
    Thread.sleep(500);

    var impatient = open().disableRetry().build();
    try {
      InvocationServiceGrpc.newBlockingStub(impatient).withDeadlineAfter(10, SECONDS).invoke(order(0).build());
      throw new IllegalStateException("a call was not refused");
    } catch (StatusRuntimeException error) {
      var failure = Failure.of(error);
      System.out.printf("busy: %s, again in %d ms%n", failure, failure.retryDelay().toMillis());
    } finally {
      impatient.shutdownNow();
    }

    // The same call on the channel with the policy is repeated by grpc-java, when the sidecar said.
    show("retry", invocations().invoke(order(0).build()));
    slow.get();
  }

  private void requestId() {
    var once = order(0).setRequestId(UUID.randomUUID().toString()).build();
    var first = invocations().invoke(once).getActivation().getActivationId();
    var second = invocations().invoke(once).getActivation().getActivationId();
    System.out.println("request_id: " + (first.equals(second) ? "one run" : "two runs"));
  }

  /** A trace context made by hand; the OpenTelemetry instrumentation of grpc-java sends this metadata by itself. */
  private void trace() {
    var ids = new byte[24];
    new SecureRandom().nextBytes(ids);
    var traceId = HexFormat.of().formatHex(ids, 0, 16);
    var metadata = new Metadata();
    metadata.put(Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER), "00-%s-%s-01".formatted(traceId, HexFormat.of().formatHex(ids, 16, 24)));
    invocations().withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata)).invoke(order(0).build());
    System.out.println("trace: " + traceId);
  }

  private void delete() {
    actions().deleteAction(DeleteActionRequest.newBuilder().setTarget(TARGET).setActionName("orders").build());
    System.out.println("delete: orders");
  }
}
