#include "metrics/server.h"

#include <utility>

#include "base/program.h"

namespace relais::metrics {
namespace {

constexpr std::string_view place = "/metrics";

}  // namespace

Form form_of(const http::Request& request) {
    constexpr std::string_view openmetrics_type = "application/openmetrics-text";
    return request.field("accept").find(openmetrics_type) != std::string_view::npos ? Form::openmetrics
                                                                                    : Form::prometheus;
}

Server::Server(EventLoop& loop, const std::vector<int>& listening, control::Home home)
    : home_(std::move(home)),
      server_(loop, listening, [this](http::Server::Id id, const http::Request& request) {
          server_.answer(id, answer(request));
      }) {}

http::Response Server::answer(const http::Request& request) {
    if (request.method != "GET" && request.method != "HEAD")
        return {405, "text/plain", "only GET and HEAD are known here\n", {{"Allow", "GET, HEAD"}}};
    if (request.path != place) return {404, "text/plain", "the counters are at " + std::string(place) + "\n"};
    const Form form = form_of(request);
    return {200, content_type(form), counters(form)};
}

std::string Server::counters(Form form) {
    std::vector<std::string> wrong;
    const Pages pages = read_pages(home_, &wrong);
    std::string trouble;
    for (const std::string& text : wrong) trouble += (trouble.empty() ? "" : "; ") + text;
    if (trouble != logged_ && !trouble.empty()) log_line("warning: " + trouble);
    logged_ = trouble;
    return show(pages, form);
}

}  // namespace relais::metrics
