// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

if getpid() == 1 { InitProcess.run() }
exit(Command.run())
