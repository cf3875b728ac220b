# cmake -DOUTPUT=F -DINPUTS=NAME=PATH,... -P EmbedText.cmake
#
# Writes a C++ fragment that defines, for each input, a constant string NAME
# with the text of the file PATH.

set(text "// Made by EmbedText.cmake.\n")
string(REPLACE "," ";" INPUTS "${INPUTS}")
foreach(input ${INPUTS})
  string(REGEX MATCH "^([^=]+)=(.*)$" matched "${input}")
  file(READ "${CMAKE_MATCH_2}" content)
  string(APPEND text "static constexpr llvm::StringLiteral ${CMAKE_MATCH_1} =\n"
                     "    R\"weirtext(${content})weirtext\";\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")
