# cmake --install: programs to bin/ (cox_program), what they come with to share/coxswain, documents to
# share/doc/coxswain. Programs keep the run path to the SDK prefix they were built with.
include(GNUInstallDirs)
function(cox_install_folder folder destination)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${folder})
    install(DIRECTORY ${CMAKE_SOURCE_DIR}/${folder}/ DESTINATION ${destination} ${ARGN})
  endif()
endfunction()
cox_install_folder(configs ${CMAKE_INSTALL_DATADIR}/coxswain/configs)
foreach(folder systemd prometheus grafana)
  cox_install_folder(deploy/${folder} ${CMAKE_INSTALL_DATADIR}/coxswain/${folder} USE_SOURCE_PERMISSIONS)
endforeach()
cox_install_folder(docs ${CMAKE_INSTALL_DOCDIR})
cox_install_folder(proto ${CMAKE_INSTALL_DATADIR}/coxswain/proto FILES_MATCHING PATTERN *.proto)

# For those who build a model of their own (docs/howto/own-model.md): one header and find_package(coxswain).
# Alone: cmake --install BUILD --component plugin --prefix PREFIX.
include(CMakePackageConfigHelpers)
configure_package_config_file(${CMAKE_SOURCE_DIR}/deploy/cmake/coxswain-config.cmake.in
  ${CMAKE_BINARY_DIR}/coxswain-config.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/coxswain
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/coxswain-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/coxswain-config.cmake ${CMAKE_BINARY_DIR}/coxswain-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/coxswain COMPONENT plugin)
install(FILES ${CMAKE_SOURCE_DIR}/src/trainer/engine/plugin/model_plugin.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coxswain COMPONENT plugin)
