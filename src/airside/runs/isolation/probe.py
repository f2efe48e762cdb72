"""`python -m airside.runs.isolation.probe`: build an attempt's namespaces once; exit 0 if this kernel allows it."""

import os
import sys
from typing import NoReturn

from airside.linux import calls as linux
from airside.runs.isolation import confine, spaces, view
from airside.runs.isolation.wire import Orders

PORT = 7878
MEMORY_BYTES = 1 << 30


def main() -> int:
    """Build, enter, leave; what goes wrong is printed."""
    orders = Orders(
        run_id="probe",
        attempt=1,
        adapter="command",
        command=(),
        input=b"null",
        token="",
        gateway_url=f"http://127.0.0.1:{PORT}",
        gateway_socket="",
        gateway_outside="",
        model="",
        tools=(),
        seed=0,
        start_us=0,
        clock="real",
        memory_bytes_max=MEMORY_BYTES,
        processes_max=8,
        open_files_max=32,
        result_bytes_max=1,
        spaces=True,
        hidden=(),
        masked=view.masked_places(),
        readable=(),
    )

    def agent(folder: str) -> NoReturn:
        confine.enter(orders, folder, os.open(os.devnull, os.O_WRONLY))
        os._exit(0)

    linux.adopt_orphans()
    try:
        inside = spaces.build(orders, agent)
    except spaces.SpacesError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    os.waitpid(inside.init, 0)
    if inside.end_status() != 0:
        sys.stdout.write("a process in the namespaces could not be confined\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
