"""Answers what cloud-init makes of descriptions of networks: questions as JSON in, answers as JSON out.

A question is {"document": text, "renderer": name, "nics": {name: MAC}, "ip": whether there is an ip command}. The answer
is {"files": {path: text}, "error": text}; of the renderer "state" it is the interpreted state instead, in "state".
"""

import json
import logging
import os
import sys
import tempfile
from unittest import mock

import yaml

from cloudinit import subp, util
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


def answer(question):
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
