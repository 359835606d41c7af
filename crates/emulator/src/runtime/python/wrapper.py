# Runs one Python action. Standard input carries the length of the job, a line end and the job as JSON, and then stays open:
# its end ends the run. Standard output and error are the action's log. The result goes to standard output behind a mark that
# only this process and the emulator know.
import sys


def supervise():
    # Forks. The first process stays to end whatever the action starts, in whatever session it hides; the second one, in
    # which this function returns, runs the action.
    import os, select, signal
    try:
        import ctypes
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become children of this process
    except Exception:
        pass  # Not every system has it; then the process group alone is ended.
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    action = os.fork()
    if action == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(woken)
        os.close(wake)
        return

    def children():
        for name in os.listdir('/proc'):
            try:
                with open('/proc/%d/stat' % int(name)) as stat:
                    if int(stat.read().rpartition(')')[2].split()[1]) == os.getpid():
                        yield int(name)
            except (OSError, ValueError):
                continue

    def ended(options):
        # The next child that has ended, 0 when none has; raises ChildProcessError when there is none at all.
        return os.waitpid(-1, options)[0]

    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    events = select.poll()
    events.register(0, 0)
    events.register(woken, select.POLLIN)
    is_over = False
    try:
        while not is_over and all(at != 0 for at, _ in events.poll()):
            os.read(woken, 4096)
            pid = ended(os.WNOHANG)
            while pid:
                is_over = is_over or pid == action
                pid = ended(os.WNOHANG)
        while True:
            try:
                found = list(children())
            except OSError:
                found = [action]
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            ended(0)
    except ChildProcessError:
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def wrapper():
    import base64, io, json, os, types, zipfile
    job = json.loads(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = io.StringIO('')
    sys.argv = ['action']
    os.environ.clear()
    os.environ.update(job['env'])
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding='utf-8', errors='replace', line_buffering=True)
    out = os.fdopen(os.dup(1), 'wb', buffering=0)

    def report(kind, text=''):
        sys.stdout.flush()
        sys.stderr.flush()
        data = ('\n%s memory_used %s\n%s %s %s\n' % (job['mark'], memory_used(), job['mark'], kind, text))
        data = data.encode('ascii', 'backslashreplace')
        while data:
            data = data[out.write(data):]
        os._exit(0)

    def memory_used():
        try:
            with open('/proc/self/status') as status:
                return next(int(line.split()[1]) << 10 for line in status if line.startswith('VmHWM'))
        except Exception:
            return ''

    def limit_memory():
        try:
            import resource
            with open('/proc/self/statm') as statm:
                used = int(statm.read().split()[0]) * resource.getpagesize()
        except Exception:
            used = 256 << 20
        try:
            size = used + (job['memory_mb'] << 20)
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
        except Exception:
            pass  # Not every system has such a limit.

    class ArchiveFinder:
        def __init__(self, files):
            self.files = files

        def find_spec(self, name, path=None, target=None):
            import importlib.util
            base = name.replace('.', '/')
            for file, package in ((base + '/__init__.py', True), (base + '.py', False)):
                if file in self.files:
                    loader = self
                    spec = importlib.util.spec_from_loader(name, loader, origin=file, is_package=package)
                    return spec

        def create_module(self, spec):
            return None

        def exec_module(self, module):
            file = module.__spec__.origin
            exec(compile(self.files[file], file, 'exec'), module.__dict__)

    def load():
        module = types.ModuleType('__main__')
        module.__file__ = 'action.py'
        sys.modules['__main__'] = module
        begin = '__main__.py' if job['file'] is None else job['file'] + '.py'
        if job['archive'] is None:
            source, name = job['source'], 'action.py' if job['file'] is None else begin
        else:
            with zipfile.ZipFile(io.BytesIO(base64.b64decode(job['archive']))) as archive:
                files = {f.filename: archive.read(f) for f in archive.infolist() if not f.is_dir()}
            if begin not in files:
                raise ImportError('the zip archive has no ' + begin)
            sys.meta_path.insert(0, ArchiveFinder(files))
            source, name = files[begin], begin
        if job['file'] is not None:
            # A function of an event lives in a module of its own name.
            module = types.ModuleType(job['file'].replace('/', '.'))
            module.__file__ = begin
            sys.modules[module.__name__] = module
        exec(compile(source, name, 'exec'), module.__dict__)
        return module

    def named(module, name):
        found = module.__dict__.get(name)
        if not callable(found):
            raise NameError("Action entrypoint '%s' is not a function." % name)
        return found

    def context_of(described):
        import time, types
        began = time.monotonic()
        context = types.SimpleNamespace()
        for name, value in described['values'].items():
            setattr(context, name, lambda value=value: value)
        for name, table in described['tables'].items():
            setattr(context, name, lambda key, default=None, table=table: table.get(key, default))
        setattr(context, described['remaining'],
                lambda: max(0, int(described['limit'] - (time.monotonic() - began) * 1000)))
        logger = types.SimpleNamespace(setLevel=lambda *level: None)
        for level, stream in (('debug', sys.stdout), ('info', sys.stdout), ('log', sys.stdout),
                              ('warn', sys.stderr), ('warning', sys.stderr), ('error', sys.stderr)):
            setattr(logger, level, lambda text='', *values, stream=stream:
                    print(text % values if values else text, file=stream))
        setattr(context, described['logger'], lambda: logger)
        return context

    def error_object(error):
        import traceback
        return {'name': type(error).__name__, 'message': str(error), 'stack': traceback.format_exc()}

    def describe(error):
        text = str(error)
        return type(error).__name__ + (': ' + text if text else '')

    def attempt(kind, function):
        import traceback
        try:
            return function()
        except MemoryError:
            report('memory')
        except SystemExit:
            report('exited')
        except BaseException as error:
            traceback.print_exc()
            report(kind, json.dumps(error_object(error) if kind in ('rejected', 'init') else describe(error)))

    limit_memory()
    module = attempt('load', load)
    entry = attempt('load', lambda: named(module, job['entry']))
    described = job['context']
    if described is not None and described['initializer']:
        initializer = attempt('load', lambda: named(module, described['initializer']))
    sys.stdout.flush()
    out.write(('\n%s loaded \n' % job['mark']).encode('ascii'))
    if described is None:
        value = attempt('threw', lambda: entry(job['params']))
        value = {} if value is None else value
    else:
        context = context_of(described)
        if described['initializer']:
            attempt('init', lambda: initializer(context))
        value = attempt('rejected', lambda: entry(job['params'], context))
    report('value', attempt('json', lambda: json.dumps(value, allow_nan=False)))


supervise()
wrapper()
