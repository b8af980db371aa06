// The names in the queue.
#include "base/error.h"
#include "queue/store.h"

namespace relais::queue {

std::vector<MessageId> Store::bounces(std::size_t split) const {
    std::vector<MessageId> ids;
    DirectoryScan(bounce_directory(home_, split), split).next(SIZE_MAX, [&](MessageId id) {
        ids.push_back(id);
        return true;
    });
    return ids;
}

void Store::scan(const std::function<bool(MessageId)>& visit) const {
    bool more = true;
    for (std::size_t split = 0; split < split_count && more; ++split)
        scan_split(split, [&](MessageId id) { return more = visit(id); });
}

void Store::scan_split(std::size_t split, const std::function<bool(MessageId)>& visit) const {
    DirectoryScan(home_, split).next(SIZE_MAX, visit);
}

DirectoryScan::DirectoryScan(const control::Home& home, std::size_t split)
    : DirectoryScan(message_directory(home, split), split) {}

DirectoryScan::DirectoryScan(std::string path, std::size_t split)
    : path_(std::move(path)), split_(split), directory_(::opendir(path_.c_str())) {
    if (!directory_) throw_errno("open", path_);
}

bool DirectoryScan::next(std::size_t most, const std::function<bool(MessageId)>& visit) {
    for (std::size_t count = 0; count < most; ++count) {
        errno = 0;
        const dirent* entry = ::readdir(directory_.get());
        if (entry == nullptr) {
            if (errno != 0) throw_errno("read", path_);
            return false;
        }
        const auto id = parse_message_name(entry->d_name);
        if (!id) continue;
        if (*id % split_count != split_)
            misplaced_.push_back(*id);
        else if (!visit(*id))
            return false;
    }
    return true;
}

std::uint64_t Store::count() const {
    std::uint64_t total = 0;
    scan([&total](MessageId) {
        ++total;
        return true;
    });
    return total;
}

}  // namespace relais::queue
