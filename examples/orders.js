// The function that every example deploys: it greets the customer and counts the items, after `seconds` of waiting.
function main(order) {
  const count = order.items.reduce((sum, item) => sum + item.count, 0);
  const answer = { message: `${order.greeting}, ${order.name}!`, count };
  return new Promise((resolve) => setTimeout(() => resolve(answer), (order.seconds ?? 0) * 1000));
}

// NAVER Cloud calls main with the action's parameters and the call's arguments in one object. FunctionGraph calls a handler, and settings are in
// the context.
exports.handler = (event, context) => main({ greeting: context.getUserData("greeting"), ...event });
