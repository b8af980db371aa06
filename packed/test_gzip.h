// For tests: packs as reports come packed.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

namespace relais::packed {

// One member of gzip, without a name and a time.
inline std::string gzip(std::string_view data) {
    z_stream stream{};
    constexpr int with_gzip_header = 15 + 16;
    constexpr int memory = 8;
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, with_gzip_header, memory, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        std::abort();
    std::string out(deflateBound(&stream, static_cast<uLong>(data.size())), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
    out.erase(std::min<std::size_t>(stream.total_out, out.size()));
    deflateEnd(&stream);
    return out;
}

}  // namespace relais::packed
