// What a session asks of the runner of filters (listen/filter_runner.h), over a packet socket that is that
// session's own. The runner knows from the acceptor which program it is, and which environment it gets.
//
//   session                                    runner
//     M  with the pipe that the message comes from
//     E  with the pipe that the envelope comes from
//     R extension  with the pipe for the program's text     it starts
//                                              P number of the process, or 0: there is none to be had
//     K  it is to be killed
//                                              X as wait(2) has it, always, when it has ended
//
// One program at a time; after X another one may be asked for. Numbers are four octets, the least significant
// one first. The session is hostile to the runner: it may have been taken over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relais::queue {

enum class FilterWord : char { message = 'M', envelope = 'E', run = 'R', kill = 'K' };

struct FilterRequest {
    FilterWord word = FilterWord::kill;
    std::string_view extension{};  // of run: mail::extension_variable, without a NUL

    bool operator==(const FilterRequest&) const = default;
};

enum class FilterNews : char { started = 'P', ended = 'X' };

struct FilterAnswer {
    FilterNews news = FilterNews::ended;
    std::uint32_t number = 0;

    bool operator==(const FilterAnswer&) const = default;
};

// Of one variable of the environment: Linux takes 128 KiB.
inline constexpr std::size_t extension_limit = std::size_t{100} * 1024;
inline constexpr std::size_t filter_request_limit = extension_limit + 1;
inline constexpr std::size_t filter_answer_size = 5;

std::string encode(const FilterRequest& request);
// A view into packet. Nothing for what encode does not make.
std::optional<FilterRequest> decode_filter_request(std::string_view packet);

std::string encode(const FilterAnswer& answer);
std::optional<FilterAnswer> decode_filter_answer(std::string_view packet);

}  // namespace relais::queue
