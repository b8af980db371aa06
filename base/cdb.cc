#include "base/cdb.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

extern "C" {
#include <cdb.h>
}

#include "base/deadline.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sys.h"

namespace relais {
namespace {

constexpr Seconds lock_patience{60};

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

void lock(int fd, const std::string& path) {
    const Deadline deadline = Deadline::in(lock_patience);
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("lock", path);
        if (deadline.passed()) throw_errno("lock", path, ETIMEDOUT);
        ::poll(nullptr, 0, 20);
    }
}

Fd take_temporary(const std::string& path, mode_t mode) {
    for (;;) {
        Fd fd(sys::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode));
        if (!fd) throw_errno("create", path);
        lock(fd.get(), path);
        if (!is_named(fd.get(), path)) continue;
        if (sys::ftruncate(fd.get(), 0) != 0) throw_errno("empty", path);
        return fd;
    }
}

unsigned length(std::string_view text) {
    if (text.size() > 0xffffffffU) throw_permanent("a cdb record holds 4 GiB at most");
    return static_cast<unsigned>(text.size());
}

}  // namespace

struct CdbReader::State {
    std::string path;
    Fd file;
    struct cdb cdb {};
    ~State() {
        if (cdb.cdb_mem != nullptr) ::cdb_free(&cdb);
    }
};

CdbReader::CdbReader(const std::string& path) : state_(std::make_unique<State>()) {
    state_->path = path;
    state_->file = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!state_->file) throw_errno("open", path);
    if (::cdb_init(&state_->cdb, state_->file.get()) != 0) {
        if (errno == EPROTO)
            throw Error(Reaction::temporary, "unable to read " + path + ": it is not a cdb", EPROTO);
        throw_errno("read", path);
    }
}

CdbReader::~CdbReader() = default;
CdbReader::CdbReader(CdbReader&&) noexcept = default;
CdbReader& CdbReader::operator=(CdbReader&&) noexcept = default;

std::optional<std::string_view> CdbReader::find(std::string_view key) const {
    struct cdb& cdb = state_->cdb;
    const int found = ::cdb_find(&cdb, key.data(), length(key));
    if (found < 0) throw_errno("read", state_->path);
    if (found == 0) return std::nullopt;
    if (cdb_datalen(&cdb) == 0) return std::string_view();
    const void* data = cdb_getdata(&cdb);
    if (data == nullptr) throw_errno("read", state_->path);
    return std::string_view(static_cast<const char*>(data), cdb_datalen(&cdb));
}

void CdbReader::for_each(
    const std::function<void(std::string_view key, std::string_view data)>& visit) const {
    struct cdb& cdb = state_->cdb;
    unsigned position = 0;
    cdb_seqinit(&position, &cdb);
    for (;;) {
        const int found = ::cdb_seqnext(&position, &cdb);
        if (found < 0) throw_errno("read", state_->path);
        if (found == 0) return;
        const auto* key = static_cast<const char*>(::cdb_get(&cdb, cdb.cdb_klen, cdb.cdb_kpos));
        const auto* data = static_cast<const char*>(::cdb_get(&cdb, cdb.cdb_vlen, cdb.cdb_vpos));
        if (key == nullptr || data == nullptr) throw_errno("read", state_->path);
        visit({key, cdb.cdb_klen}, {data, cdb.cdb_vlen});
    }
}

struct CdbWriter::State {
    struct cdb_make make {};
    bool finished = false;

    // Also frees what tinycdb keeps, whether it succeeds or not.
    int finish() {
        finished = true;
        return ::cdb_make_finish(&make);
    }
};

CdbWriter::CdbWriter(std::string path, std::string temporary, mode_t mode)
    : path_(std::move(path)),
      temporary_(std::move(temporary)),
      file_(take_temporary(temporary_, mode)),
      state_(std::make_unique<State>()) {
    if (::cdb_make_start(&state_->make, file_.get()) != 0) throw_errno("write to", temporary_);
}

CdbWriter::~CdbWriter() {
    if (state_ && !state_->finished) state_->finish();
    if (!committed_) sys::unlink(temporary_.c_str());
}

void CdbWriter::add(std::string_view key, std::string_view data) {
    if (::cdb_make_add(&state_->make, key.data(), length(key), data.data(), length(data)) != 0)
        throw_errno("write to", temporary_);
}

void CdbWriter::commit() {
    if (state_->finish() != 0) throw_errno("write to", temporary_);
    if (sys::fsync(file_.get()) != 0) throw_errno("write to", temporary_);
    if (sys::rename(temporary_.c_str(), path_.c_str()) != 0) throw_errno("move " + temporary_ + " to", path_);
    committed_ = true;
    sync_directory(directory_of(path_));
}

}  // namespace relais
