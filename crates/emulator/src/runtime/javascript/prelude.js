// The part of Node.js that an action sees, and the driver that calls it. Evaluated once a run, before the action's code.
//
// Called with the host's functions, it leaves Node's names on `globalThis` and hands back the driver. Everything it needs
// later is captured here: an action that overwrites `JSON` or `Promise` must not break the driver.
(function (host) {
  'use strict';
  const { parse, stringify } = JSON;
  const NativePromise = Promise;
  const promiseResolve = Promise.resolve.bind(Promise);
  const { min, max, floor } = Math;

  // ---- text of values: util.inspect in miniature -------------------------------------------------------------------
  function inspect(value, depth = 0, seen = []) {
    if (typeof value === 'string') return depth === 0 ? value : `'${value.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\n/g, '\\n')}'`;
    if (typeof value === 'function') return value.name ? `[Function: ${value.name}]` : '[Function (anonymous)]';
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol') return value.toString();
    if (value === null || typeof value !== 'object') return Object.is(value, -0) ? '-0' : String(value);
    if (seen.includes(value)) return '[Circular *1]';
    if (value instanceof Error) return errorText(value);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (depth > 2 && !(Array.isArray(value) && value.length === 0)) return Array.isArray(value) ? '[Array]' : '[Object]';
    const inner = [...seen, value];
    const show = (v) => inspect(v, depth + 1, inner);
    if (ArrayBuffer.isView(value) && value.length > 100) return `${value.constructor.name}(${value.length}) [ ... ]`;
    if (Array.isArray(value)) return list('[', ']', Array.from(value.slice(0, 100), show).concat(more(value.length)));
    if (value instanceof Map) return `Map(${value.size}) ` + list('{', '}', [...value].map(([k, v]) => `${show(k)} => ${show(v)}`));
    if (value instanceof Set) return `Set(${value.size}) ` + list('{', '}', [...value].map(show));
    if (value instanceof Promise) return 'Promise { ... }';
    const name = value.constructor && value.constructor !== Object ? `${value.constructor.name} ` : '';
    return name + list('{', '}', Object.keys(value).map((k) => `${/^[A-Za-z_$][\w$]*$/.test(k) ? k : `'${k}'`}: ${show(value[k])}`));
  }
  function more(length) {
    return length > 100 ? [`... ${length - 100} more items`] : [];
  }
  function list(open, close, items) {
    if (items.length === 0) return open + close;
    const line = `${open} ${items.join(', ')} ${close}`;
    return line.length <= 76 ? line : `${open}\n  ${items.join(',\n').replace(/\n/g, '\n  ')}\n${close}`;
  }
  function errorText(error) {
    const stack = typeof error.stack === 'string' ? error.stack.trimEnd() : '';
    return stack ? `${error}\n${stack}` : String(error);
  }
  function format(...values) {
    const [first, ...rest] = values;
    if (typeof first !== 'string') return values.map((v) => inspect(v)).join(' ');
    const text = first.replace(/%[sdifjoOc%]/g, (mark) => {
      if (mark === '%%') return '%';
      if (rest.length === 0) return mark;
      const value = rest.shift();
      switch (mark) {
        case '%s': return typeof value === 'object' ? inspect(value, 1) : String(value);
        case '%d': return String(Number(value));
        case '%i': return String(parseInt(value, 10));
        case '%f': return String(parseFloat(value));
        case '%j': return stringify(value);
        case '%c': return '';
        default: return inspect(value, 1);
      }
    });
    return [text, ...rest.map((v) => inspect(v))].join(' ');
  }

  // ---- console -----------------------------------------------------------------------------------------------------
  const write = (isError) => (...values) => host.log(isError, format(...values));
  const out = write(false);
  const err = write(true);
  const timersByLabel = new Map();
  globalThis.console = {
    log: out, info: out, debug: out, dir: (value) => out(inspect(value)), table: out, group: out, groupEnd() {},
    error: err, warn: err, trace: err,
    assert: (ok, ...values) => { if (!ok) err('Assertion failed', ...values); },
    time: (label = 'default') => { timersByLabel.set(label, host.now()); },
    timeEnd: (label = 'default') => out(`${label}: ${(host.now() - (timersByLabel.get(label) ?? host.now())).toFixed(3)}ms`),
  };

  // ---- timers ------------------------------------------------------------------------------------------------------
  const timers = new Map();
  let lastTimer = 0;
  function arm(callback, delay, args, repeat) {
    if (typeof callback !== 'function') throw new TypeError('The "callback" argument must be of type function.');
    const wait = max(1, min(Number(delay) || 0, 2147483647));
    const id = ++lastTimer;
    timers.set(id, { at: host.now() + wait, callback, args, repeat: repeat ? wait : 0 });
    return { id, ref() { return this; }, unref() { return this; }, hasRef: () => true, [Symbol.toPrimitive]: () => id };
  }
  const disarm = (timer) => { timers.delete(typeof timer === 'object' && timer !== null ? timer.id : Number(timer)); };
  globalThis.setTimeout = (callback, delay, ...args) => arm(callback, delay, args, false);
  globalThis.setInterval = (callback, delay, ...args) => arm(callback, delay, args, true);
  globalThis.setImmediate = (callback, ...args) => arm(callback, 0, args, false);
  globalThis.clearTimeout = globalThis.clearInterval = globalThis.clearImmediate = disarm;
  globalThis.queueMicrotask ??= (callback) => { promiseResolve().then(callback); };
  globalThis.structuredClone ??= (value) => parse(stringify(value));

  // ---- bytes -------------------------------------------------------------------------------------------------------
  const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  function toBase64(bytes) {
    let text = '';
    for (let i = 0; i < bytes.length; i += 3) {
      const [a, b, c] = [bytes[i], bytes[i + 1], bytes[i + 2]];
      text += BASE64[a >> 2] + BASE64[((a & 3) << 4) | ((b ?? 0) >> 4)];
      text += b === undefined ? '=' : BASE64[((b & 15) << 2) | ((c ?? 0) >> 6)];
      text += c === undefined ? '=' : BASE64[c & 63];
    }
    return text;
  }
  function fromBase64(text) {
    const bytes = [];
    let bits = 0, held = 0;
    for (const char of text.replace(/-/g, '+').replace(/_/g, '/')) {
      const value = BASE64.indexOf(char);
      if (value < 0) continue;
      held = ((held << 6) | value) & 0xffffff;
      bits += 6;
      if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255);
    }
    return bytes;
  }
  function utf8(text) {
    const bytes = [];
    for (const char of String(text)) {
      let code = char.codePointAt(0);
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
      if (code < 0x80) bytes.push(code);
      else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
      else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
      else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
    return bytes;
  }
  function fromUtf8(bytes) {
    let text = '';
    for (let i = 0; i < bytes.length;) {
      const first = bytes[i++];
      const extra = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
      let code = extra < 1 ? first : first & (63 >> extra);
      let left = extra;
      for (; left > 0 && (bytes[i] & 0xc0) === 0x80; left--) code = (code << 6) | (bytes[i++] & 63);
      text += extra < 0 || left > 0 || code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
    }
    return text;
  }
  const latin1 = (text) => Array.from(text, (char) => char.charCodeAt(0) & 255);
  const hex = (text) => (text.match(/^(?:[0-9a-f]{2})*/i)[0].match(/../g) ?? []).map((pair) => parseInt(pair, 16));
  class Buffer extends Uint8Array {
    static from(value, encoding = 'utf8') {
      if (typeof value !== 'string') {
        const source = value instanceof ArrayBuffer ? new Uint8Array(value) : value?.type === 'Buffer' ? value.data : value;
        if (source === null || typeof source !== 'object') throw new TypeError('The first argument must be a string, a Buffer or an array.');
        return super.from.call(Buffer, Array.from(source));
      }
      switch (encoding.toLowerCase()) {
        case 'base64': case 'base64url': return super.from.call(Buffer, fromBase64(value));
        case 'hex': return super.from.call(Buffer, hex(value));
        case 'latin1': case 'binary': case 'ascii': return super.from.call(Buffer, latin1(value));
        default: return super.from.call(Buffer, utf8(value));
      }
    }
    static alloc(size, fill = 0) { return new Buffer(size).fill(fill); }
    static allocUnsafe(size) { return new Buffer(size); }
    static isBuffer(value) { return value instanceof Buffer; }
    static byteLength(value, encoding) { return typeof value === 'string' ? Buffer.from(value, encoding).length : value.byteLength; }
    static concat(parts) { return Buffer.from(parts.flatMap((part) => Array.from(part))); }
    equals(other) { return this.length === other.length && this.every((byte, i) => byte === other[i]); }
    slice(start, end) { return this.subarray(start, end); }
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
    toString(encoding = 'utf8', start = 0, end = this.length) {
      const bytes = this.subarray(start, end);
      switch (encoding.toLowerCase()) {
        case 'base64': return toBase64(bytes);
        case 'base64url': return toBase64(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
        case 'hex': return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
        case 'latin1': case 'binary': case 'ascii': return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
        default: return fromUtf8(bytes);
      }
    }
  }
  globalThis.Buffer = Buffer;
  globalThis.btoa = (text) => toBase64(latin1(String(text)));
  globalThis.atob = (text) => String.fromCharCode(...fromBase64(String(text)));
  globalThis.TextEncoder ??= class TextEncoder { encode(text = '') { return new Uint8Array(utf8(text)); } };
  globalThis.TextDecoder ??= class TextDecoder { decode(bytes = []) { return fromUtf8(ArrayBuffer.isView(bytes) ? bytes : new Uint8Array(bytes)); } };

  // ---- process, modules --------------------------------------------------------------------------------------------
  let outcome = null;
  const process = {
    env: parse(host.env), argv: ['node'], pid: 1, platform: 'linux', arch: 'x64', version: host.version, versions: { node: host.version.slice(1) },
    cwd: () => '/', uptime: () => host.now() / 1000, memoryUsage: () => ({}), on() { return process; }, once() { return process; }, emitWarning: err,
    nextTick: (callback, ...args) => { promiseResolve().then(() => callback(...args)); },
    hrtime: Object.assign(() => [Math.floor(host.now() / 1000), (host.now() % 1000) * 1e6], { bigint: () => BigInt(Math.floor(host.now() * 1e6)) }),
    stdout: { write: (text) => { host.log(false, String(text).replace(/\n$/, '')); return true; } },
    stderr: { write: (text) => { host.log(true, String(text).replace(/\n$/, '')); return true; } },
    exit() { outcome ??= { kind: 'exited', text: '' }; throw new Error('process.exit was called'); },
  };
  globalThis.process = process;
  globalThis.global = globalThis;
  globalThis.fetch = async () => { throw new Error('fetch is not available: actions have no network in this emulator'); };
  const util = {
    inspect: (value) => inspect(value, 1), format, types: {}, TextEncoder, TextDecoder,
    promisify: (fn) => (...args) => new Promise((resolve, reject) => fn(...args, (error, value) => (error ? reject(error) : resolve(value)))),
    inherits(child, parent) { Object.setPrototypeOf(child.prototype, parent.prototype); },
  };
  const builtin = { buffer: { Buffer }, process, util, timers: { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } };
  const loaded = new Map();
  function resolve(from, name) {
    const parts = [];
    for (const part of `${from}/${name}`.split('/')) {
      if (part === '..') parts.pop();
      else if (part !== '' && part !== '.') parts.push(part);
    }
    return parts.join('/');
  }
  function locate(path) {
    for (const candidate of [path, `${path}.js`, `${path}.cjs`, `${path}.json`]) {
      if (path !== '' && host.file(candidate) !== undefined) return candidate;
    }
    const described = host.file(resolve(path, 'package.json'));
    const main = described === undefined ? 'index.js' : parse(described).main ?? 'index.js';
    for (const candidate of [main, `${main}.js`, `${main}/index.js`, 'index.js']) {
      const file = resolve(path, candidate);
      if (host.file(file) !== undefined) return file;
    }
    return undefined;
  }
  function find(directory, name) {
    if (/^\.{0,2}(\/|$)/.test(name)) return locate(resolve(name.startsWith('/') ? '' : directory, name));
    for (let at = directory; ; at = at.split('/').slice(0, -1).join('/')) {
      const file = locate(resolve(at, `node_modules/${name}`));
      if (file !== undefined || at === '') return file;
    }
  }
  function requireFrom(directory) {
    return function require(name) {
      const bare = String(name).replace(/^node:/, '');
      if (Object.hasOwn(builtin, bare)) return builtin[bare];
      const file = find(directory, bare);
      if (file === undefined) {
        const error = new Error(`Cannot find module '${name}': this emulator has buffer, process, timers, util and what is in the action's zip archive`);
        error.code = 'MODULE_NOT_FOUND';
        throw error;
      }
      return load(file);
    };
  }
  function load(file) {
    if (loaded.has(file)) return loaded.get(file).exports;
    const source = host.file(file);
    const module = { exports: {}, id: file, filename: `/${file}` };
    loaded.set(file, module);
    if (file.endsWith('.json')) {
      module.exports = parse(source);
      return module.exports;
    }
    const directory = file.split('/').slice(0, -1).join('/');
    host.compile(file, `(function (exports, require, module, __filename, __dirname) {${source}\n})`)(module.exports, requireFrom(directory), module, `/${file}`, `/${directory}`);
    return module.exports;
  }

  // ---- driver ------------------------------------------------------------------------------------------------------
  let main, initializer;
  // What the context of an event can be asked; undefined for a function of parameters.
  let described;
  function exported(exports, entry) {
    if (typeof exports === 'function') return exports;
    return typeof exports?.[entry] === 'function' ? exports[entry] : undefined;
  }
  // Without the memory for an error the engine throws null. An action that throws null itself is taken for that: it cannot
  // be told apart, and hardly any action does.
  function isExhausted(error) {
    return error === null || (error instanceof InternalError && error.message === 'out of memory');
  }
  function probe() {
    try {
      return new ArrayBuffer(1 << 16).byteLength > 0;
    } catch {
      return false;
    }
  }
  function failure(kind, error) {
    if (isExhausted(error)) outcome ??= { kind: 'memory', text: '' };
    else outcome ??= { kind, text: String(kind === 'load' && error instanceof Error ? errorText(error) : error) };
  }
  function rejected(error) {
    if (isExhausted(error)) return failure('memory', error);
    if (described !== undefined) err(error);
    outcome ??= { kind: 'rejected', text: stringify(shown(error)) ?? '{}' };
  }
  function shown(error) {
    return error instanceof Error ? { name: error.name, message: error.message, stack: errorText(error), ...error } : error || {};
  }
  function returned(value) {
    if (outcome !== null) return;
    let text;
    try {
      text = stringify(value === undefined ? (described === undefined ? {} : null) : value);
    } catch (error) {
      return failure('json', error);
    }
    outcome = { kind: 'value', text: text ?? stringify(String(value)) };
  }
  // ---- functions of an event and a context -------------------------------------------------------------------------
  function contextOf({ values, tables, remaining, logger, limit }) {
    const context = {};
    for (const name of Object.keys(values)) context[name] = () => values[name];
    for (const name of Object.keys(tables)) context[name] = (key) => tables[name][key];
    context[remaining] = () => max(0, floor(limit - host.now()));
    context[logger] = () => ({ debug: out, info: out, log: out, warn: err, error: err, setLevel() {} });
    return context;
  }
  // Calls with a callback behind the other arguments, and waits for it when the function names one and returns no promise.
  function called(fn, ...args) {
    return new NativePromise((resolve, reject) => {
      const value = fn(...args, (error, result) => { error ? reject(error) : resolve(result); });
      if (typeof value?.then === 'function') promiseResolve(value).then(resolve, reject);
      else if (fn.length <= args.length) resolve(value);
    });
  }
  async function handled(event) {
    const context = contextOf(described);
    if (initializer !== undefined) {
      try {
        await called(initializer, context);
      } catch (error) {
        if (isExhausted(error)) failure('memory', error);
        err(error);
        outcome ??= { kind: 'init', text: stringify(shown(error)) ?? '{}' };
        return undefined;
      }
    }
    return called(main, event, context);
  }
  function named(exports, name) {
    const found = exports?.[name];
    if (typeof found !== 'function') throw new Error(`Handler '${name}' is not a function of the module.`);
    return found;
  }
  return {
    // `source` is undefined when the code is in files, `from` names the file to begin with, `context` describes one.
    load(source, from, entry, context) {
      try {
        if (context !== undefined) described = parse(context);
        if (from !== undefined) {
          const file = locate(resolve('', from));
          if (file === undefined) throw new Error(`Cannot find module '${from}'`);
          const exports = load(file);
          main = described === undefined ? exported(exports, entry) : named(exports, entry);
          if (described?.initializer) initializer = named(exports, described.initializer);
        } else if (source === undefined) {
          const file = locate('');
          if (file === undefined) throw new Error('the zip archive has neither package.json with "main" nor index.js');
          main = exported(load(file), entry);
        } else {
          const module = { exports: {} };
          const named = /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/.test(entry);
          const tail = named ? `\n;try { return ${entry} } catch (e) { if (!(e instanceof ReferenceError || e instanceof TypeError)) throw e }` : '';
          const run = host.compile('action.js', `(function (exports, require, module, __filename, __dirname) {${source}${tail}\n})`);
          const found = run.call(globalThis, module.exports, requireFrom(''), module, '/action.js', '/');
          main = typeof found === 'function' ? found : exported(module.exports, entry) ?? exported(globalThis, entry);
        }
        if (typeof main !== 'function') throw new Error(`Action entrypoint '${entry}' is not a function.`);
      } catch (error) {
        failure('load', error);
      }
    },
    start(params) {
      try {
        // The host looks at the state of this promise: a reaction could get lost when memory runs out.
        return promiseResolve(described === undefined ? main(parse(params)) : handled(parse(params)));
      } catch (error) {
        err(error);
        failure('threw', error);
      }
    },
    returned,
    rejected,
    // Whether there is some memory left.
    probe,
    wait() {
      let next = -1;
      for (const { at } of timers.values()) next = next < 0 ? at : min(next, at);
      return next < 0 ? -1 : max(0, next - host.now());
    },
    fire() {
      const now = host.now();
      const due = [...timers].filter(([, timer]) => timer.at <= now).sort((a, b) => a[1].at - b[1].at || a[0] - b[0]);
      for (const [id, timer] of due) {
        if (!timers.has(id)) continue;
        if (timer.repeat) timer.at = now + timer.repeat;
        else timers.delete(id);
        try {
          timer.callback(...timer.args);
        } catch (error) {
          // Node ends the process on an exception that nobody catches.
          err(error);
          failure('exited', error);
        }
        // Promise jobs run between timers; the host does that.
        return;
      }
    },
    kind: () => outcome?.kind ?? '',
    text: () => outcome?.text ?? '',
  };
})
