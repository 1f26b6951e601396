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
