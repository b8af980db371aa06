// Packs what goes to others.
#include <zlib.h>

#include <algorithm>

#include "base/error.h"
#include "packed/unpack.h"

namespace relais::packed {

std::string gzip(std::string_view data) {
    z_stream stream{};
    constexpr int with_gzip_header = 15 + 16;
    constexpr int memory = 8;
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, with_gzip_header, memory, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        throw Error(Reaction::temporary, "unable to pack: no memory");
    std::string out(deflateBound(&stream, static_cast<uLong>(data.size())), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    out.erase(std::min<std::size_t>(stream.total_out, out.size()));
    deflateEnd(&stream);
    if (!whole) throw Error(Reaction::temporary, "unable to pack");
    return out;
}

}  // namespace relais::packed
