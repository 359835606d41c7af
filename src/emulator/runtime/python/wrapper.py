# Runs one Python action. Standard input carries the job as JSON; standard output and error are the action's log.
# The result goes to standard output behind a mark that only this process and the emulator know.
import sys


def wrapper():
    import base64, io, json, os, types, zipfile
    job = json.loads(sys.stdin.buffer.read())
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
        data = ('\n%s %s %s\n' % (job['mark'], kind, text)).encode('ascii', 'backslashreplace')
        while data:
            data = data[out.write(data):]
        os._exit(0)

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
        if job['archive'] is None:
            source, name = job['source'], 'action.py'
        else:
            with zipfile.ZipFile(io.BytesIO(base64.b64decode(job['archive']))) as archive:
                files = {f.filename: archive.read(f) for f in archive.infolist() if not f.is_dir()}
            if '__main__.py' not in files:
                raise ImportError('the zip archive has no __main__.py')
            sys.meta_path.insert(0, ArchiveFinder(files))
            source, name = files['__main__.py'], '__main__.py'
        exec(compile(source, name, 'exec'), module.__dict__)
        found = module.__dict__.get(job['entry'])
        if not callable(found):
            raise NameError("Action entrypoint '%s' is not a function." % job['entry'])
        return found

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
            report(kind, json.dumps(describe(error)))

    limit_memory()
    entry = attempt('load', load)
    sys.stdout.flush()
    out.write(('\n%s loaded \n' % job['mark']).encode('ascii'))
    value = attempt('threw', lambda: entry(job['params']))
    report('value', attempt('json', lambda: json.dumps({} if value is None else value, allow_nan=False)))


wrapper()
