// trace_fill DIRECTORY MESSAGES: a store as after so many messages of a hundred a second, to measure with.
#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "trace/store.h"

namespace {

using namespace relais;
using trace::Record;

int fill(const Arguments& arguments) {
    const auto count = arguments.size() == 2 ? parse_number(arguments[1]) : std::nullopt;
    if (!count) throw_permanent("usage: trace_fill DIRECTORY MESSAGES");
    trace::Store store(arguments[0], {365, std::uint64_t{1} << 40});
    std::uint64_t time = now_microseconds() - *count * 10'000;
    for (std::uint64_t number = 0; number < *count; ++number, time += 10'000) {
        const std::string id = std::to_string(time), delivery = std::to_string(number + 1);
        const std::string from = "sender" + std::to_string(number % 5000) + "@example.net";
        const std::string to = "user" + std::to_string(number % 700) + "@example.org";
        store.add({time,
                   "accept",
                   {{"msg", id},
                    {"ip", "192.0.2.7"},
                    {"helo", "mail.example.net"},
                    {"tls", "TLSv1.3/TLS_AES_256_GCM_SHA384"},
                    {"sender", from},
                    {"rcpt", to},
                    {"bytes", "4321"}}});
        store.add({time + 500,
                   "info",
                   {{"msg", id}, {"bytes", "4321"}, {"sender", from}, {"qp", id}, {"uid", "64011"}}});
        store.add(
            {time + 600, "start", {{"msg", id}, {"delivery", delivery}, {"channel", "local"}, {"rcpt", to}}});
        store.add({time + 5000,
                   "delivery",
                   {{"msg", id},
                    {"delivery", delivery},
                    {"result", "success"},
                    {"text", "did 1+0+0"},
                    {"milliseconds", "4"}}});
        store.add({time + 5001, "end", {{"msg", id}}});
        if (number % 2000 == 0) store.commit();
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("trace_fill", argc, argv, fill);
}
