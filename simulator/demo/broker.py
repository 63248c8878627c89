"""The demo's own broker: mosquitto where it is on the PATH, otherwise amqtt, which pip alone can install."""

import getpass
import json
import shlex
import shutil
import sys
from pathlib import Path

MOSQUITTO = """\
# written at each start of the demo
listener {port} 127.0.0.1
allow_anonymous true
# root stays root: another user could not write below this folder; everybody else is themselves anyhow
user {user}
persistence true
persistence_location {folder}/
autosave_interval 30
max_queued_messages 100000
max_inflight_messages 1000
set_tcp_nodelay true
log_dest stderr
connection_messages true
"""


def broker_command(folder: Path, port: int) -> tuple[str, str]:
    """The broker's name and its command line for a shell, once its configuration is written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if executable := shutil.which("mosquitto"):
        configuration = folder / "mosquitto.conf"
        configuration.write_text(MOSQUITTO.format(port=port, user=getpass.getuser(), folder=folder), encoding="utf-8")
        return "mosquitto", shlex.join([executable, "-c", str(configuration)])
    configuration = folder / "amqtt.yaml"  # JSON is YAML, too
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    configuration.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return "amqtt", shlex.join([sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(configuration)])
