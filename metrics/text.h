// The counters as Prometheus and OpenMetrics read them. Pure.
#pragma once

#include <string>

#include "metrics/page.h"

namespace relais::metrics {

enum class Form {
    prometheus,   // the text format, version 0.0.4
    openmetrics,  // 1.0.0
};

std::string_view content_type(Form form);
// Each row of a page that is there, its label's values in the order of the table; nothing of other pages.
std::string show(const Pages& pages, Form form);

// The table for qmail-metrics(8): name, labels, meaning; in mdoc.
std::string manual_list();

}  // namespace relais::metrics
