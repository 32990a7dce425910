# cmake -DOUT=x.cc -DDIR=folder -P embed.cmake: turns NNNN_name.sql files into master/store/migrations.h.
file(GLOB files ${DIR}/*.sql)
list(SORT files)
string(CONCAT text "#include \"master/store/migrations.h\"\n\nnamespace det::store {\n\n"
       "const std::vector<Migration>& Migrations() {\n"
       "  static const std::vector<Migration> migrations = {\n")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX MATCH "^[0-9]+" version ${name})
  string(REGEX REPLACE "^0+" "" version ${version})
  file(READ ${file} sql)
  string(APPEND text "      {${version}, \"${name}\", R\"DETSQL(${sql})DETSQL\"},\n")
endforeach()
string(APPEND text "  };\n  return migrations;\n}\n\n}  // namespace det::store\n")
file(WRITE ${OUT} "${text}")
