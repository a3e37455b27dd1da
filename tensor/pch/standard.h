// Precompiled for the library: the parts of the standard library that most files need. A file still includes what it
// uses: without precompiled headers (meson setup -Db_pch=false) everything builds as well.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <variant>
#include <vector>
