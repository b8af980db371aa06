// The one place where the formatting library's bodies are compiled, so that static programs need no shared
// libfmt and other files include only <fmt/core.h>.
#include <fmt/format-inl.h>

template fmt::detail::thousands_sep_result<char> fmt::detail::thousands_sep_impl<char>(
    fmt::detail::locale_ref);
template char fmt::detail::decimal_point_impl<char>(fmt::detail::locale_ref);
