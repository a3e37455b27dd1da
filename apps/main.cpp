// The program `reverie`: its subcommands and exit codes. 0: success; 1: failure; 2: wrong flag, key or value;
// 128 + signal: interrupted. An error is one line.
#include <csignal>
#include <iostream>
#include <new>

#include "apps/cli.h"
#include "apps/interrupt.h"

namespace {

using namespace reverie;

void add_subcommands(CLI::App& program) {
  program.formatter(std::make_shared<WrappedHelp>());
  program.set_version_flag("--version", "reverie " REVERIE_VERSION, "Print the version");
  need_subcommand(&program);
  add_train(program);
  add_sample(program);
  add_evaluate(program);
  add_classifier(program);
  add_data(program);
  add_convert(program);
  add_inspect(program);
  add_explain(program);
  refuse_empty_values(&program);
  program.footer(
      "example: reverie train --config configs/toy-moons.toml --out runs/moons\n"
      "`reverie COMMAND --help` describes each command.");
}

int fail(int code, const std::string& message) {
  std::cout << std::flush;
  std::cerr << "reverie: " << message << std::endl;
  return code;
}

// Names the help of the command that was given: "(see reverie data toy --help)".
std::string see_help(const CLI::App& program) {
  std::string command = "reverie ";
  for (const CLI::App* app = &program; !app->get_subcommands().empty();) {
    app = app->get_subcommands().front();
    command += app->get_name() + " ";
  }
  return concat("(see ", command, "--help)");
}

int run(int argc, char** argv) {
  CLI::App program("reverie trains diffusion models on CPUs, samples from them and evaluates them.");
  try {
    add_subcommands(program);
    program.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    program.exit(request);
  } catch (const CLI::ExtrasError&) {  // its own text lists the arguments backwards
    return fail(2, concat("unexpected argument `", program.remaining(true).front(), "` ", see_help(program)));
  } catch (const CLI::ParseError& error) {
    return fail(2, concat(error.what(), " ", see_help(program)));
  } catch (const UsageError& error) {
    return fail(2, error.what());
  } catch (const Interrupted&) {
    return 128 + interrupted();
  } catch (const std::bad_alloc&) {
    return fail(1, "out of memory; try a smaller train.shard_size, train.accumulators or --count");
  } catch (const std::exception& error) {
    return fail(1, error.what());
  }
  std::cout << std::flush;
  return std::cout ? 0 : fail(1, "standard output can't be written");
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // exceeding the file size limit is an error, not a crash
  return run(argc, argv);
}
