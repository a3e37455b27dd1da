// The program `reverie`: its subcommands and exit codes. 0: success; 1: failure; 2: wrong flag, key or value;
// 128 + signal: interrupted. An error is one line.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <new>

#include "apps/cli.h"
#include "apps/interrupt.h"

namespace {

using namespace reverie;

// An empty value would count as a flag that isn't given.
void refuse_empty_values(CLI::App* command) {
  for (CLI::Option* option : command->get_options({})) {
    option->check([](const std::string& text) { return text.empty() ? "expects a value, got an empty text" : ""; });
  }
  for (CLI::App* sub : command->get_subcommands({})) refuse_empty_values(sub);
}

void add_subcommands(CLI::App& program) {
  program.formatter(std::make_shared<WrappedHelp>());
  program.set_version_flag("--version", "reverie " REVERIE_VERSION, "Print the version");
  need_subcommand(&program);
  add_train(program);
  add_sample(program);
  add_augment(program);
  add_evaluate(program);
  add_classifier(program);
  add_detect(program);
  add_data(program);
  add_diffuse(program);
  add_convert(program);
  add_report(program);
  add_inspect(program);
  add_explain(program);
  add_schedule(program);
  add_plot(program);
  refuse_empty_values(&program);
  program.footer(
      "example: reverie train --config configs/toy-moons.toml --out runs/moons\n"
      "`reverie COMMAND --help` describes each command.");
}

int fail(int code, const std::string& message) {
  std::cout << std::flush;
  std::cerr << "reverie: " << printable(message) << std::endl;
  return code;
}

// What makes a command need less memory for its tensors.
std::string memory_hint(const CLI::App& program) {
  const auto used = [&](const char* command) { return program.got_subcommand(command); };
  if (used("train")) return "; try a smaller train.shard_size or train.accumulators, or fewer --threads";
  if (used("sample") || used("evaluate")) return "; try a smaller --count or fewer --threads";
  if (used("augment")) return "; try a smaller --per-class or fewer --threads";
  return "";
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
    for (int i = 1; i < argc; ++i) {  // CLI11 would take the next argument for the value
      const std::string argument = argv[i];
      if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
        throw UsageError(argument, ": expects a value after the equals sign");
      }
    }
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
  // A descriptor that is closed would be given to the next file that is opened, and messages be written into it.
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(standard, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);  // takes the lowest number, which is this one
  }
  std::signal(SIGXFSZ, SIG_IGN);  // exceeding the file size limit is an error, not a crash
  std::signal(SIGPIPE, SIG_IGN);  // without a reader, output is dropped and the work goes on
  return run(argc, argv);
}
