// The precompiled header of the library: the standard headers that most files need. Every file still includes what it
// uses, so that everything builds without it too (meson setup -Db_pch=false).
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
