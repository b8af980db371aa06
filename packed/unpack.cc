#include "packed/unpack.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/octets.h"

namespace relais::packed {
namespace {

constexpr int with_gzip_header = 15 + 16;
constexpr int without_header = -15;
constexpr std::size_t free_octets = 1'000'000;
constexpr std::size_t input_limit = std::numeric_limits<std::uint32_t>::max() / 2;

// A stream that is being unpacked.
class Inflation {
  public:
    Inflation(int window, std::string_view data) {
        ready_ = inflateInit2(&stream_, window) == Z_OK;
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
        stream_.avail_in = static_cast<uInt>(std::min(data.size(), input_limit));
        size_ = stream_.avail_in;
    }
    ~Inflation() {
        if (ready_) inflateEnd(&stream_);
    }
    Inflation(const Inflation&) = delete;
    Inflation& operator=(const Inflation&) = delete;

    bool ready() const { return ready_; }
    std::size_t used() const { return size_ - stream_.avail_in; }
    // Adds what comes out, at most room octets and one buffer, and takes it from the room. several: members
    // follow one another.
    int run(std::string& out, std::size_t& room, bool several) {
        std::array<char, 65536> buffer;
        std::size_t came = 0;
        int result = Z_OK;
        while (result == Z_OK && came <= room && !bursts(came)) {
            stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
            stream_.avail_out = static_cast<uInt>(buffer.size());
            result = inflate(&stream_, Z_NO_FLUSH);
            const std::size_t more = buffer.size() - stream_.avail_out;
            out.append(buffer.data(), more);
            came += more;
            if (result == Z_STREAM_END && several && stream_.avail_in > 0) result = inflateReset(&stream_);
            if (result == Z_OK && stream_.avail_in == 0 && stream_.avail_out > 0) break;
        }
        too_large_ = came > room || bursts(came);
        room -= std::min(room, came);
        return result;
    }
    bool too_large() const { return too_large_; }

  private:
    bool bursts(std::size_t came) const { return came > free_octets && came / ratio_limit > used(); }

    z_stream stream_{};
    std::size_t size_ = 0;
    bool ready_ = false;
    bool too_large_ = false;
};

constexpr std::string_view too_large = "unpacked it is larger than any report is";

// The local header of a file in a zip.
struct ZipHead {
    std::uint64_t flags = 0, method = 0, packed_size = 0, size = 0;
    std::size_t head_size = 0;  // with name and extra field

    static constexpr std::size_t fixed = 30;
    static constexpr std::uint64_t encrypted = 1, size_follows = 8, stored = 0, deflated = 8;
};

std::variant<ZipHead, Complaint> head_of(std::string_view data) {
    if (data.size() < ZipHead::fixed) return Complaint{"its zip is damaged or cut off"};
    ZipHead head;
    head.flags = get_le(data, 6, 2);
    head.method = get_le(data, 8, 2);
    head.packed_size = get_le(data, 18, 4);
    head.size = get_le(data, 22, 4);
    head.head_size = ZipHead::fixed + get_le(data, 26, 2) + get_le(data, 28, 2);
    if ((head.flags & ZipHead::encrypted) != 0) return Complaint{"its zip is encrypted"};
    if (head.method != ZipHead::stored && head.method != ZipHead::deflated)
        return Complaint{"its zip is packed in a way that is not known here"};
    if (head.method == ZipHead::stored && (head.flags & ZipHead::size_follows) != 0)
        return Complaint{"its zip does not say how long a file is"};
    if (head.head_size > data.size()) return Complaint{"its zip is damaged or cut off"};
    return head;
}

// Takes one file off the front of data.
std::variant<std::string, Complaint> take_file(std::string_view& data, const ZipHead& head,
                                               std::size_t& room) {
    data.remove_prefix(head.head_size);
    std::string file;
    if (head.method == ZipHead::stored) {
        if (head.packed_size > data.size()) return Complaint{"its zip is damaged or cut off"};
        if (head.packed_size > room) return Complaint{std::string(too_large)};
        room -= head.packed_size;
        file = data.substr(0, head.packed_size);
        data.remove_prefix(head.packed_size);
        return file;
    }
    Inflation inflation(without_header, data);
    if (!inflation.ready()) return Complaint{"there is no memory to unpack it"};
    const int result = inflation.run(file, room, false);
    if (inflation.too_large()) return Complaint{std::string(too_large)};
    if (result != Z_STREAM_END) return Complaint{"its zip is damaged or cut off"};
    data.remove_prefix(inflation.used());
    return file;
}

// What stands behind the file where its head did not say how long it is: 12 octets, 16 with a signature, more
// in zip64. The next head, or the list of all files, is looked for.
void skip_descriptor(std::string_view& data) {
    constexpr std::size_t longest = 24;
    for (std::size_t i = 0; i + 4 <= data.size() && i <= longest; ++i)
        if (data.substr(i).starts_with(zip_magic) || data.substr(i).starts_with("PK\x01\x02"))
            return data.remove_prefix(i);
    data = {};
}

}  // namespace

std::variant<std::string, Complaint> gunzip(std::string_view data, std::size_t& room) {
    Inflation inflation(with_gzip_header, data);
    if (!inflation.ready()) return Complaint{"there is no memory to unpack it"};
    std::string out;
    const int result = inflation.run(out, room, true);
    if (inflation.too_large()) return Complaint{std::string(too_large)};
    if (result != Z_STREAM_END) return Complaint{"its gzip is damaged or cut off"};
    return out;
}

std::variant<std::vector<std::string>, Complaint> unzip(std::string_view data, std::size_t& room) {
    std::vector<std::string> files;
    while (data.starts_with(zip_magic)) {
        if (files.size() >= files_limit) return Complaint{"its zip has more files than any report"};
        auto head = head_of(data);
        if (auto* complaint = std::get_if<Complaint>(&head)) return std::move(*complaint);
        auto file = take_file(data, std::get<ZipHead>(head), room);
        if (auto* complaint = std::get_if<Complaint>(&file)) return std::move(*complaint);
        // A directory has a head and nothing else.
        if (!std::get<std::string>(file).empty()) files.push_back(std::get<std::string>(std::move(file)));
        if ((std::get<ZipHead>(head).flags & ZipHead::size_follows) != 0) skip_descriptor(data);
    }
    if (files.empty()) return Complaint{"its zip has no file"};
    return files;
}

}  // namespace relais::packed
