#include "core/trace/source_line.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <execinfo.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "core/tensor/scope.h"

namespace gradus {

namespace {

const char* text_of(Dwarf_Die* die, unsigned attribute) {
  Dwarf_Attribute found;
  return dwarf_formstring(dwarf_attr_integrate(die, attribute, &found));
}

std::string function_of(Dwarf_Die* die) {
  for (unsigned attribute : {DW_AT_linkage_name, DW_AT_name})
    if (const char* name = text_of(die, attribute)) return short_name(name);
  return "";
}

int64_t number_of(Dwarf_Die* die, unsigned attribute) {
  Dwarf_Attribute found;
  Dwarf_Word value = 0;
  return dwarf_formudata(dwarf_attr(die, attribute, &found), &value) == 0
             ? static_cast<int64_t>(value)
             : 0;
}

/// The debug information of this program and of the libraries that it has loaded.
class DebugInformation {
 public:
  static DebugInformation& get() {
    static DebugInformation information;
    return information;
  }

  const std::vector<SourceLine>& lines_at(void* return_address) {
    const auto [found, is_new] = known_.try_emplace(return_address);
    // The call lies before the address to which it returns.
    if (is_new) found->second = look_up(reinterpret_cast<Dwarf_Addr>(return_address) - 1);
    return found->second;
  }

  std::mutex mutex;

 private:
  DebugInformation() {
    callbacks_.find_elf = dwfl_linux_proc_find_elf;
    callbacks_.find_debuginfo = dwfl_standard_find_debuginfo;
    callbacks_.debuginfo_path = &no_path_;  // never ask a server
    dwfl_ = dwfl_begin(&callbacks_);
    if (!dwfl_) return;
    dwfl_report_begin(dwfl_);
    dwfl_linux_proc_report(dwfl_, getpid());
    dwfl_report_end(dwfl_, nullptr, nullptr);
  }
  ~DebugInformation() {
    if (dwfl_) dwfl_end(dwfl_);
  }

  /// The file of an inlined call.
  static const char* file_of(Dwarf_Die* unit, int64_t index) {
    Dwarf_Files* files = nullptr;
    size_t count = 0;
    if (dwarf_getsrcfiles(unit, &files, &count) != 0 || index < 0 ||
        static_cast<size_t>(index) >= count)
      return nullptr;
    return dwarf_filesrc(files, static_cast<size_t>(index), nullptr, nullptr);
  }

  std::vector<SourceLine> look_up(Dwarf_Addr address) {
    std::vector<SourceLine> result;
    Dwfl_Module* module = dwfl_ ? dwfl_addrmodule(dwfl_, address) : nullptr;
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = module ? dwfl_module_addrdie(module, address, &bias) : nullptr;
    Dwarf_Line* line = unit ? dwarf_getsrc_die(unit, address - bias) : nullptr;
    if (!line) return result;
    const char* file = dwarf_linesrc(line, nullptr, nullptr);
    int number = 0;
    dwarf_lineno(line, &number);

    Dwarf_Die *innermost = nullptr, *scopes = nullptr;
    if (dwarf_getscopes(unit, address - bias, &innermost) < 1) return result;
    const std::unique_ptr<Dwarf_Die, void (*)(void*)> freed(innermost, std::free);
    const int count = dwarf_getscopes_die(innermost, &scopes);
    const std::unique_ptr<Dwarf_Die, void (*)(void*)> freed_too(scopes, std::free);
    for (int i = 0; i < count; ++i) {
      const int tag = dwarf_tag(&scopes[i]);
      if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram) continue;
      add(result, file, number, function_of(&scopes[i]));
      if (tag == DW_TAG_subprogram) break;
      file = file_of(unit, number_of(&scopes[i], DW_AT_call_file));
      number = static_cast<int>(number_of(&scopes[i], DW_AT_call_line));
    }
    return result;
  }

  static void add(std::vector<SourceLine>& lines, const char* file, int number,
                  std::string function) {
    if (!file) return;
    static const std::string here = std::filesystem::path(__FILE__).lexically_normal().string();
    static const std::string root =
        here.substr(0, here.size() - std::string_view("core/trace/source_line.cpp").size());
    std::string path = std::filesystem::path(file).lexically_normal().string();
    if (!root.empty() && path.starts_with(root)) path = path.substr(root.size());
    for (const char* foreign : {"core/", "/usr/", "../"})
      if (path.starts_with(foreign)) return;
    lines.push_back({std::move(path), number, std::move(function)});
  }

  Dwfl_Callbacks callbacks_{};
  char* no_path_ = nullptr;
  Dwfl* dwfl_ = nullptr;
  std::unordered_map<void*, std::vector<SourceLine>> known_;
};

}  // namespace

std::vector<void*> call_stack() {
  constexpr int deepest = 64;
  std::vector<void*> addresses(deepest);
  addresses.resize(static_cast<size_t>(backtrace(addresses.data(), deepest)));
  return addresses;
}

std::vector<SourceLine> source_lines(const std::vector<void*>& addresses) {
  DebugInformation& information = DebugInformation::get();
  const std::lock_guard lock(information.mutex);
  std::vector<SourceLine> result;
  for (void* address : addresses)
    for (const SourceLine& line : information.lines_at(address)) result.push_back(line);
  return result;
}

}  // namespace gradus
