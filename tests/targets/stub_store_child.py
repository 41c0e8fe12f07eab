"""A child that is up at once and has no store; stands alone, because it is confined.

`python -c <this> <descriptor> <work>` speaks as `app.targets.store_wire` says: it
echoes what it is asked, with its process id; `hang`, `die`, `babble` and `flood` do
what they say.
"""

import json
import os
import sys

descriptor = int(sys.argv[1])
with (
    os.fdopen(descriptor, "rb") as requests,
    os.fdopen(os.dup(descriptor), "wb", 0) as out,
):
    out.write(b'{"result": {}}\n')
    while line := requests.readline():
        request = json.loads(line)
        match request["operation"]:
            case "hang":
                continue
            case "die":
                sys.stderr.write("a last word\n")
                sys.stderr.flush()
                os._exit(3)
            case "babble":
                out.write(b"what?\n")
            case "flood":
                out.write(b"x" * (16 * 1024 * 1024))
            case _:
                answer = {**request, "pid": os.getpid()}
                out.write(json.dumps({"result": answer}).encode() + b"\n")
