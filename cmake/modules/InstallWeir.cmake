# What `cmake --install` puts where, and the CMake package `Weir`. Included
# behind all targets.

include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

# Installed programs and libraries find each other wherever the prefix is.
file(RELATIVE_PATH weir_bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR}
     ${CMAKE_INSTALL_FULL_LIBDIR})
get_property(weir_tools GLOBAL PROPERTY WEIR_TOOLS)
set_target_properties(${weir_tools} PROPERTIES
  INSTALL_RPATH "$ORIGIN/${weir_bin_to_lib}"
  INSTALL_RPATH_USE_LINK_PATH ON)
set_target_properties(Weir PROPERTIES
  INSTALL_RPATH "$ORIGIN"
  INSTALL_RPATH_USE_LINK_PATH ON)

# weirc looks for the runtime's archives beside the shared library.
install(TARGETS Weir weir_rt weir_rt_main EXPORT WeirTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ${weir_tools} EXPORT WeirTargets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Headers and definitions lie in the folders of their #include lines, those
# that TableGen made beside those that were written.
install(DIRECTORY include/weir include/weir-c include/weir-rt dialects/weir
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td")
install(DIRECTORY ${PROJECT_BINARY_DIR}/include/weir
                  ${PROJECT_BINARY_DIR}/dialects/weir
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.inc" PATTERN "CMakeFiles" EXCLUDE)

# As lib/Runtime chose.
if(WEIR_ICU_I18N AND WEIR_ICU_UC AND WEIR_ICU_DATA)
  set(WEIR_NEEDS_ICU FALSE)
else()
  set(WEIR_NEEDS_ICU TRUE)
endif()

set(weir_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Weir)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/modules/WeirConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/WeirConfig.cmake
  INSTALL_DESTINATION ${weir_package_dir}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/cmake/WeirConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/WeirConfig.cmake
              ${PROJECT_BINARY_DIR}/cmake/WeirConfigVersion.cmake
  DESTINATION ${weir_package_dir})
install(EXPORT WeirTargets NAMESPACE Weir:: DESTINATION ${weir_package_dir})
