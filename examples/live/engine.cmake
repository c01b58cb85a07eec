#The engine's sources, for the processor and for the browser.
file(GLOB live_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/live/*.cpp)
list(FILTER live_sources EXCLUDE REGEX "/main\\.cpp$")
file(GLOB live_page_sources examples/live/page/*)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS examples/live/exercises.txt)
file(READ ${PROJECT_SOURCE_DIR}/examples/live/exercises.txt exercises)
file(CONFIGURE OUTPUT generated/examples/live/exercises_text.h @ONLY CONTENT
     "#include <string_view>\ninline constexpr std::string_view exercises_file = R\"text(@exercises@)text\";\n")
