#include "tandem/frontends/cpp/block.h"

#include <cxxabi.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <regex>
#include <typeinfo>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/frontends/cpp/parameter_file.h"
#include "tandem/frontends/cpp/summary.h"

namespace tandem {
namespace {

// The outermost block that this thread is calling.
thread_local const Block* outermost = nullptr;
thread_local internal::SummaryTable* summary = nullptr;

std::string ClassName(const Block& block) {
  int status = 0;
  char* const demangled = abi::__cxa_demangle(typeid(block).name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? demangled : typeid(block).name();
  std::free(demangled);
  // Without template arguments and namespaces.
  name = name.substr(0, name.find('<'));
  const size_t colon = name.rfind("::");
  return colon == std::string::npos ? name : name.substr(colon + 2);
}

std::string Lowercase(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// True for what can stand in the name of a parameter.
bool IsName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '.';
  });
}

// True if `target` is `block`, or below it.
bool Contains(const Block& block, const Block& target) {
  std::vector<const Block*> open = {&block};
  absl::flat_hash_set<const Block*> seen = {&block};
  while (!open.empty()) {
    const Block* const next = open.back();
    open.pop_back();
    if (next == &target) return true;
    for (const BlockChild& child : next->children()) {
      if (seen.insert(child.block.get()).second) open.push_back(child.block.get());
    }
  }
  return false;
}

class OutermostScope {
 public:
  explicit OutermostScope(const Block* block) : first_(outermost == nullptr) {
    if (first_) outermost = block;
  }
  ~OutermostScope() {
    if (first_) outermost = nullptr;
  }

 private:
  const bool first_;
};

}  // namespace

Block::Block() : identity_(std::make_shared<internal::BlockIdentity>(this)) {}
Block::~Block() { identity_->set_source(nullptr); }

Block::Block(Block&& other) noexcept
    : identity_(std::move(other.identity_)),
      children_(std::move(other.children_)),
      parameters_(std::move(other.parameters_)),
      parameters_ready_(other.parameters_ready_.load()) {
  // What was moved from stays a block that can be destroyed or called, with an error.
  identity_->set_source(this);
  other.identity_ = std::make_shared<internal::BlockIdentity>(&other);
}

// --- calling -------------------------------------------------------------------------------------

TensorList Block::Apply(const TensorList& inputs) {
  const OutermostScope outermost_scope(this);
  const BlockScope scope(identity_->Local());
  std::optional<InterpreterScope> recorder;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) {
      throw Error(absl::InvalidArgumentError(
          absl::StrCat(type_name(), " '", name(), "': input ", i, " is an empty Tensor")));
    }
    // Called with a symbol, outside of a trace: everything the block does belongs to the symbol's
    // graph, reads of parameters too (R31).
    if (inputs[i].is_symbolic() && !recorder.has_value() &&
        &CurrentInterpreter() == &EagerInterpreter()) {
      Interpreter* const interpreter = inputs[i].symbol()->interpreter();
      if (interpreter != nullptr) recorder.emplace(*interpreter);
    }
  }
  if (summary == nullptr) [[likely]]
    return Run(inputs);

  internal::SummaryTable& table = *summary;
  const size_t row = table.rows.size();
  table.rows.push_back({std::string(2 * table.depth, ' ') + type_name(), Describe(), "", 0, 0});
  TensorList outputs;
  {
    // A body may catch what one of its children throws.
    struct Deeper {
      explicit Deeper(internal::SummaryTable& table) : table(table) { ++table.depth; }
      ~Deeper() { --table.depth; }
      internal::SummaryTable& table;
    } deeper(table);
    outputs = Run(inputs);
  }
  internal::SummaryRow& filled = table.rows[row];
  filled.output = absl::StrJoin(outputs, ", ", [](std::string* out, const Tensor& t) {
    absl::StrAppend(out, t.defined() ? t.spec().ToString() : "(empty)");
  });
  for (const ParameterPtr& parameter : parameters_) {
    if (!table.counted.insert(parameter.get()).second) continue;
    (parameter->grad_req() == GradRequest::kNone ? filled.kept : filled.trained) +=
        parameter->shape().num_elements();
  }
  return outputs;
}

TensorList Block::Run(const TensorList& inputs) { return RunForward(inputs); }

TensorList Block::RunForward(const TensorList& inputs) {
  if (!parameters_ready_.load(std::memory_order_acquire)) PrepareParameters(inputs);
  return ForwardAll(inputs);
}

Tensor Block::Forward(const Tensor& x) {
  throw Error(
      absl::UnimplementedError(absl::StrCat(type_name(), " '", name(),
                                            "' has no forward: override Forward, ForwardAll, or, "
                                            "in a HybridBlock, HybridForward")));
}

TensorList Block::ForwardAll(const TensorList& inputs) {
  if (inputs.size() != 1) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat(type_name(), " '", name(), "' takes one input, it was given ", inputs.size(),
                     "; a block with several overrides ForwardAll")));
  }
  return {Forward(inputs[0])};
}

Tensor Block::Single(TensorList outputs) const {
  if (outputs.size() != 1) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(
        type_name(), " '", name(), "' has ", outputs.size(), " outputs; call it with Apply()")));
  }
  return std::move(outputs[0]);
}

void Block::PrepareParameters(const TensorList& inputs) {
  bool unresolved = false;
  bool ready = true;
  for (const ParameterPtr& parameter : parameters_) {
    if (parameter->initialized()) continue;
    ready = false;
    unresolved = unresolved || parameter->shape().has_dynamic();
    if (!parameter->deferred()) {
      const Block& root = outermost != nullptr ? *outermost : *this;
      throw Error(absl::FailedPreconditionError(
          absl::StrCat(type_name(), " '", name(),
                       "' was called before its parameters were initialized; call "
                       "Initialize() before forward. Without a value: ",
                       absl::StrJoin(root.ParametersWithoutValue(), ", "))));
    }
  }
  if (unresolved) InferParameterShapes(inputs);
  if (!ready) {
    std::vector<std::string> unknown;
    for (const ParameterPtr& parameter : parameters_) {
      if (parameter->shape().has_dynamic()) {
        unknown.push_back(absl::StrCat(parameter->name(), " ", parameter->shape().ToString()));
      }
    }
    if (!unknown.empty()) {
      throw Error(absl::FailedPreconditionError(
          absl::StrCat(type_name(), " '", name(),
                       "' cannot tell the shapes of its parameters: ", absl::StrJoin(unknown, ", "),
                       ". Declare them with all sizes, or override "
                       "InferParameterShapes")));
    }
    for (const ParameterPtr& parameter : parameters_) parameter->FinishInitialize();
  }
  parameters_ready_.store(true, std::memory_order_release);
}

// --- structure -----------------------------------------------------------------------------------

std::string Block::NameHint() const { return Lowercase(ClassName(*this)); }

std::string Block::name() const { return identity_->Name(); }

void Block::SetName(std::string name) {
  if (!IsName(name)) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("'", name, "' cannot be a block's name: use letters, digits, '_' and '.'")));
  }
  identity_->SetLocal(std::move(name));
}

std::string Block::type_name() const { return ClassName(*this); }

std::string Block::ChildName(const Block& child) const {
  const std::string hint = Lowercase(ClassName(child));
  for (int64_t i = 0;; ++i) {
    const std::string name = absl::StrCat(hint, i);
    if (std::none_of(children_.begin(), children_.end(),
                     [&](const BlockChild& known) { return known.name == name; })) {
      return name;
    }
  }
}

void Block::AddChild(std::string name, std::shared_ptr<Block> child) {
  if (child == nullptr) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat(type_name(), ": child '", name, "' is a null pointer")));
  }
  if (!IsName(name)) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(
        type_name(), ": '", name, "' cannot be a child's name: use letters, digits, '_' and '.'")));
  }
  for (const BlockChild& known : children_) {
    if (known.name == name) {
      throw Error(absl::AlreadyExistsError(absl::StrCat(
          type_name(), " has a child '", name, "' already, a ", known.block->type_name(),
          "; give the ", child->type_name(), " another name")));
    }
  }
  if (Contains(*child, *this)) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(
        type_name(), " '", this->name(), "' cannot have ", child->type_name(), " '", child->name(),
        "' as its child '", name,
        "': ", child.get() == this ? "they are one block" : "it is below that block already",
        ", and blocks must not go in circles")));
  }
  Check(CheckChild(name, *child));
  // A block that is shared keeps the name that its first parent gave it.
  child->identity_->SetParent(identity_, name);
  children_.push_back({std::move(name), std::move(child)});
  identity_->Changed();
}

Parameter& Block::DeclareParameter(std::string name, ParameterOptions options) {
  if (!IsName(name)) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(
        "'", name, "' cannot be a parameter's name: use letters, digits, '_' and '.'")));
  }
  return AdoptParameter(
      std::make_shared<Parameter>(std::move(name), std::move(options), identity_));
}

Parameter& Block::AdoptParameter(ParameterPtr parameter) {
  for (const ParameterPtr& known : parameters_) {
    if (known->local_name() == parameter->local_name()) {
      throw Error(absl::AlreadyExistsError(
          absl::StrCat(type_name(), " has a parameter '", parameter->local_name(), "' already")));
    }
  }
  parameters_.push_back(std::move(parameter));
  parameters_ready_.store(false, std::memory_order_release);
  identity_->Changed();
  return *parameters_.back();
}

// --- parameters ----------------------------------------------------------------------------------

void Block::CollectInto(std::vector<ParameterPtr>* parameters) const {
  for (const ParameterPtr& parameter : parameters_) {
    if (std::find(parameters->begin(), parameters->end(), parameter) == parameters->end()) {
      parameters->push_back(parameter);
    }
  }
  for (const BlockChild& child : children_) child.block->CollectInto(parameters);
}

ParameterList Block::CollectParameters(absl::string_view pattern) const {
  std::vector<ParameterPtr> all;
  CollectInto(&all);
  if (pattern.empty()) return ParameterList(std::move(all));
  std::optional<std::regex> regex;
  try {
    regex.emplace(std::string(pattern));
  } catch (const std::regex_error& error) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("'", pattern, "' is not a regular expression: ", error.what())));
  }
  std::vector<ParameterPtr> chosen;
  for (const ParameterPtr& parameter : all) {
    const std::string name = parameter->name();
    if (std::regex_search(name, *regex, std::regex_constants::match_continuous)) {
      chosen.push_back(parameter);
    }
  }
  return ParameterList(std::move(chosen));
}

std::vector<std::string> Block::ParametersWithoutValue() const {
  std::vector<std::string> names;
  for (const ParameterPtr& parameter : CollectParameters()) {
    if (!parameter->initialized()) names.push_back(parameter->name());
  }
  return names;
}

void Block::Initialize(const InitializerPtr& init, Device* device, bool force) {
  if (init == nullptr) throw Error(absl::InvalidArgumentError("Initialize: no initializer"));
  Device& where = device != nullptr ? *device : DefaultDevice();
  std::vector<Block*> blocks = {this};
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (force) blocks[i]->parameters_ready_.store(false, std::memory_order_release);
    for (const BlockChild& child : blocks[i]->children_) blocks.push_back(child.block.get());
  }
  for (const ParameterPtr& parameter : CollectParameters()) {
    parameter->Initialize(init, where, force);
  }
  identity_->Changed();
}

void Block::MoveTo(Device& device) {
  std::vector<std::function<void()>> moves;
  std::vector<Block*> blocks = {this};
  for (size_t i = 0; i < blocks.size(); ++i) {
    moves.push_back(blocks[i]->PrepareMove(device));
    for (const BlockChild& child : blocks[i]->children_) blocks.push_back(child.block.get());
  }
  for (const ParameterPtr& parameter : CollectParameters()) {
    moves.push_back([parameter, place = parameter->CopyTo(device)] { parameter->MoveTo(place); });
  }
  // Everything has its copy: nothing can fail any more.
  for (const std::function<void()>& move : moves) {
    if (move) move();
  }
  identity_->Changed();
}

void Block::MoveTo(absl::string_view device) { MoveTo(OpenDevice(device)); }

void Block::CollectLocal(const std::string& prefix,
                         std::vector<std::pair<std::string, ParameterPtr>>* parameters) const {
  for (const ParameterPtr& parameter : parameters_) {
    parameters->push_back({prefix + parameter->local_name(), parameter});
  }
  for (const BlockChild& child : children_) {
    child.block->CollectLocal(absl::StrCat(prefix, child.name, "."), parameters);
  }
}

void Block::SaveParameters(const std::string& path) const {
  if (const std::vector<std::string> missing = ParametersWithoutValue(); !missing.empty()) {
    throw Error(absl::FailedPreconditionError(
        absl::StrCat("SaveParameters: these have no value yet; call Initialize() and run one "
                     "forward: ",
                     absl::StrJoin(missing, ", "))));
  }
  std::vector<std::pair<std::string, ParameterPtr>> parameters;
  CollectLocal("", &parameters);
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& [name, parameter] : parameters) {
    tensors.push_back({name, parameter->variable().Get()});
  }
  Check(internal::WriteParameterFile(path, tensors));
}

void Block::LoadParameters(const std::string& path, const LoadOptions& options) {
  Device& device = options.device != nullptr ? *options.device : DefaultDevice();
  auto tensors = Value(internal::ReadParameterFile(path, device));
  std::vector<std::pair<std::string, ParameterPtr>> parameters;
  CollectLocal("", &parameters);
  std::vector<std::string> missing;
  std::vector<std::pair<ParameterPtr, Tensor>> found;
  absl::flat_hash_set<std::string> used;
  for (const auto& [name, parameter] : parameters) {
    const auto tensor = tensors.find(name);
    if (tensor == tensors.end()) {
      missing.push_back(name);
      continue;
    }
    used.insert(name);
    found.push_back({parameter, tensor->second});
  }
  std::vector<std::string> extra;
  for (const auto& [name, tensor] : tensors) {
    if (!used.contains(name)) extra.push_back(name);
  }
  std::sort(extra.begin(), extra.end());
  if (!missing.empty() && !options.allow_missing) {
    throw Error(absl::NotFoundError(absl::StrCat(
        path, " has no values for ", absl::StrJoin(missing, ", "),
        "; it has: ", absl::StrJoin(extra, ", "), ". Load with allow_missing to keep the others")));
  }
  if (!extra.empty() && !options.ignore_extra) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(
        path, " has values that no parameter of ", type_name(),
        " wants: ", absl::StrJoin(extra, ", "), ". Load with ignore_extra to skip them")));
  }
  // All or none.
  for (const auto& [parameter, tensor] : found) Check(parameter->CheckValue(tensor));
  for (const auto& [parameter, tensor] : found) parameter->SetData(tensor);
}

// --- compiling -----------------------------------------------------------------------------------

void Block::Hybridize(const HybridizeOptions& options) {
  Check(options.ToHybridOptions().Validate());
  for (const BlockChild& child : children_) child.block->Hybridize(options);
}

bool Block::Summarizing() { return summary != nullptr; }

std::string Block::Summary(const Tensor& input) {
  internal::SummaryTable table;
  // A forward may ask for the summary of another block.
  struct Restore {
    ~Restore() { summary = outer; }
    internal::SummaryTable* const outer;
  } restore{std::exchange(summary, &table)};
  Apply({input});
  return table.ToText();
}

}  // namespace tandem
