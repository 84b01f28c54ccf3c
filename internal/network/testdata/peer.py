"""Answers what cloud-init makes of descriptions of networks: questions as JSON in, answers as JSON out.

A question is {"document": text, "renderer": name, "nics": {name: MAC}, "ip": whether there is an ip command}. The answer
is {"files": {path: text}, "error": text}; of the renderer "state" it is the interpreted state instead, in "state". With the
renderer "fallback", "sys" are files and links ("-> TARGET") below /sys/class/net, and "state" is the document that
cloud-init assumes; of "choose", "sys" are the files of the machine, "document" the names of renderers, and "state" the choice.
"""

import json
import logging
import os
import sys
import tempfile
from unittest import mock

import yaml

from cloudinit import net, subp, util
from cloudinit.net import network_state

RENDERERS = {
    "eni": ("eni", {"eni_path": "etc/network/interfaces"}),
    "netplan": ("netplan", {"netplan_path": "etc/netplan/50-cloud-init.yaml"}),
    "networkd": ("networkd", {}),
    "network-manager": ("network_manager", {}),
    "sysconfig-rhel": ("sysconfig", {"flavor": "rhel"}),
    "sysconfig-suse": ("sysconfig", {"flavor": "suse"}),
}


def renderer(name):
    module, config = RENDERERS[name]
    module = __import__("cloudinit.net." + module, fromlist=["Renderer"])
    return module.Renderer(config)


def files_below(root):
    files = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as f:
                files[path[len(root):]] = f.read()
    return files


def fallback(question):
    with tempfile.TemporaryDirectory() as root:
        for name, text in question["sys"].items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if text.startswith("-> "):
                os.symlink(text[3:], path)
            else:
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
        with mock.patch.object(net, "SYS_CLASS_NET", root + "/"), mock.patch.object(util, "get_cmdline", lambda: "net.ifnames=0"):
            return {"state": net.generate_fallback_config()}


def choose(question):
    from cloudinit.net import renderers  # needs configobj

    files = question["sys"]
    there = lambda program, search=None, target=None: any(d + "/" + program in files for d in search or ["/usr/bin"]) or None
    with mock.patch.object(subp, "which", there), mock.patch("os.path.isfile", files.__contains__):
        try:
            return {"state": {"name": renderers.select(priority=yaml.safe_load(question["document"]))[0]}}
        except net.RendererNotFoundError:
            return {"state": {"name": ""}}


def answer(question):
    if question["renderer"] == "fallback":
        return fallback(question)
    if question["renderer"] == "choose":
        return choose(question)
    document = yaml.safe_load(question["document"])
    document = document.get("network", document)
    if question["renderer"] == "state":
        state = network_state.parse_net_config_data(document)
        return {"state": dict(state._network_state, config=None)}
    r = renderer(question["renderer"])
    state = network_state.parse_net_config_data(document, renderer=r)
    with tempfile.TemporaryDirectory() as root:
        r.render_network_state(state, target=root)
        return {"files": files_below(root)}


def main():
    logging.disable(logging.CRITICAL)
    answers = []
    for question in json.load(sys.stdin):
        by_mac = {mac: name for name, mac in (question.get("nics") or {}).items()}
        which = lambda program, *a, **k: "/sbin/ip" if program == "ip" and question.get("ip") else None
        with mock.patch.object(network_state, "get_interfaces_by_mac", lambda *a, **k: by_mac), mock.patch.object(
            network_state, "find_interface_name_from_mac", by_mac.get, create=True
        ), mock.patch.object(subp, "which", which), mock.patch.object(subp, "subp", lambda *a, **k: ("", "")), mock.patch.object(
            util, "chownbyname", lambda *a, **k: None
        ):
            try:
                answers.append(answer(question))
            except Exception as e:  # whatever it is: that is the answer
                answers.append({"error": "%s: %s" % (type(e).__name__, e)})
    json.dump(answers, sys.stdout, default=str)


main()
