// The system calls that make mail durable, gathered in one place so that a test can put a recording or failing
// version of this header earlier on the include path (tests/seam/base/sys.h). Code that writes the queue, marks
// messages or fills a Maildir calls these and nothing else for it.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>

namespace relais::sys {
using ::close;
using ::fchmod;
using ::fchown;
using ::fstat;
using ::fsync;
using ::ftruncate;
using ::link;
using ::mkdir;
using ::open;
using ::openat;
using ::pwrite;
using ::rename;
using ::syncfs;
using ::unlink;
using ::unlinkat;
using ::write;
using ::writev;
}  // namespace relais::sys
