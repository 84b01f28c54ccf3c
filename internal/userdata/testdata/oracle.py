# Asks the cloud-init of the tree that this runs in what it makes of documents. In: a JSON list of {"data": base64, "vars": {}}.
# Out: a JSON list of what came of each. Nothing is written: what cloud-init would write is caught.
import base64, json, logging, sys, types
from unittest import mock
from cloudinit import handlers, helpers, user_data, util
from cloudinit.handlers import boot_hook, cloud_config, jinja_template, shell_script, shell_script_by_frequency as by_frequency

warnings = []


class Catch(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            warnings.append(record.getMessage())


logging.getLogger().addHandler(Catch())
logging.getLogger().setLevel(logging.DEBUG)
paths = helpers.Paths({"cloud_dir": "/nowhere", "run_dir": "/nowhere"}, None)
paths.get_ipath = paths.get_ipath_cur = lambda name=None: "/i/" + paths.lookups.get(name, "")
paths.get_cpath = lambda name=None: "/c/" + paths.lookups.get(name, "")


def b64(data):
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    return base64.b64encode(data or b"").decode()


def ask(case):
    written = []
    warnings.clear()
    blob = base64.b64decode(case["data"])
    jinja_template.os = types.SimpleNamespace(path=types.SimpleNamespace(exists=lambda name: True))
    jinja_template.load_file = lambda name: json.dumps(case.get("vars") or {})
    catch = lambda name, content, mode=0o644, **kw: written.append([name, b64(content)])
    with mock.patch.object(util, "write_file", catch), mock.patch.object(boot_hook.subp, "subp"):
        message = user_data.UserDataProcessor(paths).process(blob)
        text = str(message)
        config, shell = cloud_config.CloudConfigPartHandler(paths), shell_script.ShellScriptPartHandler(paths)
        hook = boot_hook.BootHookPartHandler(paths, None)
        every = [config, shell, hook]
        for frequency in (by_frequency.PER_ALWAYS, by_frequency.PER_INSTANCE, by_frequency.PER_ONCE):
            every.append(by_frequency.ShellScriptByFreqPartHandler(frequency, paths))
        every.append(jinja_template.JinjaTemplatePartHandler(paths, sub_handlers=[config, shell, hook]))
        table = helpers.ContentHandlers()
        for h in every:
            table.register(h, overwrite=False)
        data = {"handlers": table, "handlerdir": "/h", "data": None, "frequency": handlers.PER_INSTANCE,
                "handlercount": 0, "excluded": []}
        handlers.call_begin(config, None, handlers.PER_INSTANCE)
        handlers.walk(message, handlers.walker_callback, data)
        handlers.call_end(config, None, handlers.PER_INSTANCE)
    parts = [[p.get_content_type(), p.get_filename()] for p in message.walk() if p.get_content_maintype() != "multipart"]
    return {"mime": b64(text), "parts": parts, "written": written, "warnings": list(warnings)}


def answer(case):
    try:
        return ask(case)
    except Exception as e:
        return {"error": repr(e)}


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
