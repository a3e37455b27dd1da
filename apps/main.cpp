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
  program.footer(
      "example: reverie train --config configs/toy-moons.toml --out runs/moons\n"
      "`reverie COMMAND --help` describes each command.");
}

int fail(int code, const std::string& message) {
  std::cout << std::flush;
  std::cerr << "reverie: " << message << std::endl;
  return code;
}

// What makes a command need less memory for its tensors.
std::string memory_hint(const CLI::App& program) {
  const auto used = [&](const char* command) { return program.got_subcommand(command); };
  if (used("train")) return "; try a smaller train.shard_size or train.accumulators, or fewer --threads";
  if (used("sample") || used("evaluate")) return "; try a smaller --count or fewer --threads";
  return "";
}

int run(int argc, char** argv) {
  CLI::App program("reverie trains diffusion models on CPUs, samples from them and evaluates them.");
  try {
    add_subcommands(program);
    program.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    program.exit(request);
  } catch (const CLI::ExtrasError&) {  // its own text lists the arguments backwards
    const std::string command = program.get_subcommands().empty() ? "" : program.get_subcommands()[0]->get_name() + " ";
    return fail(
        2, concat("unexpected argument `", program.remaining(true).front(), "` (see reverie ", command, "--help)"));
  } catch (const CLI::ParseError& error) {
    return fail(2, std::string(error.what()) + " (see reverie --help)");
  } catch (const UsageError& error) {
    return fail(2, error.what());
  } catch (const Interrupted&) {
    return 128 + interrupted();
  } catch (const OutOfMemory& error) {
    return fail(1, error.what() + memory_hint(program));
  } catch (const std::bad_alloc&) {
    return fail(1, "out of memory" + memory_hint(program));
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
