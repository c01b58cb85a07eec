#pragma once

#include <cstdio>

namespace gradus::terminal {

/// True if `stream` is a terminal on which a line can be rewritten (TERM is set and not "dumb").
bool is_terminal(std::FILE* stream);

/// Columns of the terminal behind `stream`; 80 if they are not known.
int terminal_columns(std::FILE* stream);

}  // namespace gradus::terminal
