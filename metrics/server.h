// The server of qmail-metrics: HTTP (http/server.h), each request answered from the pages at once.
#pragma once

#include <string>
#include <vector>

#include "base/event_loop.h"
#include "control/home.h"
#include "http/server.h"
#include "metrics/text.h"

namespace relais::metrics {

// The better one of those that Accept names.
Form form_of(const http::Request& request);

class Server {
  public:
    // listening: stream sockets, borrowed as the loop is.
    Server(EventLoop& loop, const std::vector<int>& listening, control::Home home);

  private:
    http::Response answer(const http::Request& request);
    std::string counters(Form form);

    control::Home home_;
    std::string logged_;  // what was in the way when that was last said
    http::Server server_;
};

}  // namespace relais::metrics
