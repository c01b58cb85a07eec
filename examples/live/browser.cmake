# The engine for a browser's worker: the same sources, compiled by Debian 12's emscripten (3.1.6) to
# WebAssembly with its vectors of 128 bits. What its library lacks of C++20 stands in browser/cpp20.h, what
# a worker has not in browser/browser.cpp, and what it knows of Unicode in browser/utf8proc.cpp.
include(examples/live/engine.cmake)
set(CMAKE_BUILD_TYPE Release)

# The headers of Debian's packages, which are for any processor; /usr/include as a whole is not.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include)
foreach(library fmt xsimd nlohmann)
  file(CREATE_LINK /usr/include/${library} ${PROJECT_BINARY_DIR}/include/${library} SYMBOLIC)
endforeach()

file(GLOB_RECURSE sources CONFIGURE_DEPENDS core/*.cpp layers/*.cpp)
list(FILTER sources EXCLUDE REGEX
     "/(blas|pool|source_line|check[a-z_]*|onnx[a-z_]*|exchange)\\.cpp$|layers/(check|exchange)/")
foreach(file optim/adam.simd optim/optimizer optim/checked_names optim/clip optim/schedule optim/ranks
        examples/step/page_data examples/step/checkup examples/step/outline examples/step/layout examples/step/attention
        examples/step/lesson1/scalar_expression examples/step/lesson2/dense_layer
        examples/step/lesson3/lstm_cell examples/step/lesson4/attention examples/step/lesson5/translation
        examples/step/lesson6/memory_network examples/answer/memory_network examples/answer/sentences examples/terminal/display_width examples/terminal/language
        examples/training/model_file examples/training/text examples/training/vocabulary
        examples/training/world examples/translate/batches examples/translate/corpus
        examples/translate/decode examples/translate/gnmt_model examples/translate/lexicon
        examples/translate/lstm_model examples/translate/metrics examples/translate/model
        examples/translate/tokenisation examples/translate/trained examples/translate/transformer_model
        examples/live/browser/browser examples/live/browser/main examples/live/browser/utf8proc)
  list(APPEND sources ${file}.cpp)
endforeach()
add_executable(engine ${sources} ${live_sources})
set(simd ${sources})
list(FILTER simd INCLUDE REGEX "\\.simd\\.cpp$")
set_source_files_properties(${simd} PROPERTIES COMPILE_OPTIONS
  "-DGRADUS_ISA=baseline;-Dxsimd=xsimd_baseline;-ffp-contract=off")
set_source_files_properties(core/tensor/version.cpp PROPERTIES
  COMPILE_DEFINITIONS GRADUS_VERSION="${PROJECT_VERSION}")
target_compile_definitions(engine PRIVATE FMT_HEADER_ONLY)
target_compile_options(engine PRIVATE -O2 -g0 -msimd128 -msse2 -fwasm-exceptions -include
  ${PROJECT_SOURCE_DIR}/examples/live/browser/cpp20.h)
target_include_directories(engine PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/include
  ${PROJECT_SOURCE_DIR}/examples/live/browser ${PROJECT_BINARY_DIR}/generated)
target_link_options(engine PRIVATE -O2 -fwasm-exceptions
  --js-library ${PROJECT_SOURCE_DIR}/examples/live/browser/unicode.js -sENVIRONMENT=worker,node -sMODULARIZE=1 -sEXPORT_NAME=createEngine
  -sALLOW_MEMORY_GROWTH=1 -sMAXIMUM_MEMORY=2GB -sINITIAL_MEMORY=64MB -sTOTAL_STACK=1MB
  -sEXPORTED_FUNCTIONS=_gradus_answer,_malloc,_free -sEXPORTED_RUNTIME_METHODS=UTF8ToString,stringToNewUTF8 -sEXIT_RUNTIME=0)
