#!/usr/bin/python3
"""OpenStack Swift with its S3 layer, whole, in one process: the S3 server of the tests.

Account, container, object (in memory) and proxy servers of Debian's python3-swift, each on a free
port of 127.0.0.1. Prints "PORT <proxy's port>" once all of them answer. Ends when its standard
input does, so that it can't outlive the test that started it.

    swift_s3.py FOLDER ACCESS_KEY SECRET_KEY
"""
import logging
import os
import shutil
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import hubs, listen, wsgi  # noqa: E402
from swift.common import utils  # noqa: E402

SWIFT_CONF = """
[swift-hash]
swift_hash_path_suffix = det
[storage-policy:0]
name = gold
default = yes
"""

SERVER = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = true
db_preallocation = off
fallocate_reserve = 0
log_level = WARNING
log_custom_handlers = swift_parts.console
[app:main]
use = egg:swift#{app}
container_update_timeout = 60
fallocate_reserve = 0
"""

# The user's name is the access key, in two halves of which a ":" makes one.
PROXY = """
[DEFAULT]
swift_dir = {folder}
log_level = WARNING
log_custom_handlers = swift_parts.console
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth slo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
paste.filter_factory = swift_parts:filter_factory
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
min_segment_size = 65536
max_bucket_listing = 200
storage_domain = localhost
allow_multipart_uploads = true
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin .reseller_admin
[filter:slo]
use = egg:swift#slo
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
node_timeout = 60
conn_timeout = 10
"""

# Swift logs to syslog, and asks memcached for what it looked up: here to standard error, and a
# dictionary of this process.
PARTS = '''
import logging
import sys


def console(conf, name, log_to_console, log_route, fmt, logger, adapted_logger):
    logger.handlers = [logging.StreamHandler(sys.stderr)]


class Memory(dict):
    def __bool__(self):
        return True

    def set(self, key, value, serialize=True, time=0, min_compress_len=0, **kwargs):
        self[key] = value

    def get(self, key, raise_on_error=False, default=None):
        return dict.get(self, key, default)

    def incr(self, key, delta=1, time=0):
        self[key] = int(dict.get(self, key, 0)) + delta
        return self[key]

    def delete(self, key, server_key=None):
        self.pop(key, None)


def filter_factory(global_conf, **local_conf):
    def make(app):
        memory = Memory()

        def call(env, start_response):
            env["swift.cache"] = memory
            return app(env, start_response)
        return call
    return make
'''


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def make_ring(folder, name, port):
    from array import array
    from swift.common.ring import RingData

    device = {"id": 0, "zone": 0, "region": 1, "device": "sda", "ip": "127.0.0.1", "port": port,
              "replication_ip": "127.0.0.1", "replication_port": port, "weight": 1.0, "meta": ""}
    RingData([array("H", [0, 0])], [device], 31).save(os.path.join(folder, name + ".ring.gz"))


def serve(sock, conf):
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.wsgi import loadapp

    app = loadapp(conf)
    eventlet.spawn(wsgi.server, sock, app, logging.getLogger("wsgi"), protocol=SwiftHttpProtocol,
                   log_output=False, max_size=256)


def main():
    folder, access, secret = sys.argv[1:4]
    account, user = access.split(":")
    os.makedirs(os.path.join(folder, "devices", "sda", "tmp"), exist_ok=True)
    write(os.path.join(folder, "swift.conf"), SWIFT_CONF)
    write(os.path.join(folder, "swift_parts.py"), PARTS)
    sys.path.insert(0, folder)
    utils.set_swift_dir(folder)

    from swift.common.storage_policy import reload_storage_policies
    reload_storage_policies()

    sockets = {name: listen(("127.0.0.1", 0)) for name in ("account", "container", "object")}
    for name, sock in sockets.items():
        make_ring(folder, name, sock.getsockname()[1])
    for name, sock in sockets.items():
        conf = os.path.join(folder, name + ".conf")
        app = "mem_object" if name == "object" else name
        write(conf, SERVER.format(folder=folder, app=app))
        serve(sock, conf)
    proxy = listen(("127.0.0.1", 0))
    conf = os.path.join(folder, "proxy.conf")
    write(conf, PROXY.format(folder=folder, account=account, user=user, secret=secret))
    serve(proxy, conf)
    print("PORT", proxy.getsockname()[1], flush=True)
    while True:
        hubs.trampoline(sys.stdin.fileno(), read=True)  # the servers run meanwhile
        if not os.read(sys.stdin.fileno(), 1):
            break
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


main()
