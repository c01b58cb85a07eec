#include "core/tensor/scope.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string_view>

namespace gradus {

std::string short_name(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  const std::string_view full = status == 0 ? demangled.get() : mangled;
  std::string name;
  int depth = 0;
  for (size_t i = 0; i < full.size(); ++i) {
    constexpr std::string_view call = "operator()",
                               ours = "gradus::", unnamed = "(anonymous namespace)::";
    const std::string_view rest = full.substr(i);
    if (depth == 0 && rest.starts_with(call)) {
      name += call;
      i += call.size() - 1;
    } else if (depth == 0 && rest.starts_with(ours)) {
      i += ours.size() - 1;
    } else if (depth == 0 && rest.starts_with(unnamed)) {
      i += unnamed.size() - 1;
    } else if (full[i] == '(' || full[i] == '<' || full[i] == '{') {
      ++depth;
    } else if (full[i] == ')' || full[i] == '>' || full[i] == '}') {
      if (full[i] == '}' && depth == 1) name += "lambda";
      --depth;
    } else if (depth == 0) {
      if (full[i] == ' ' && rest != " const") name.clear();  // that was the return type
      if (full[i] == ' ') continue;
      if (rest == "const" && !name.empty()) break;
      name += full[i];
    }
  }
  return name;
}

std::string running_layers() {
  std::string text;
  for (const Scope* scope = Scope::innermost(); scope; scope = scope->outer()) {
    if (!scope->layer()) continue;
    const std::string name = scope->name();
    text +=
        (text.empty() ? "" : ", in ") + (name.empty() ? short_name(scope->type()->name()) : name);
    if (!name.empty()) break;
  }
  return text;
}

}  // namespace gradus
