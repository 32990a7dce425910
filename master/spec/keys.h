#pragma once

#include <span>
#include <string_view>

// Every key of an experiment's configuration: what `det config explain` tells, what
// docs/guide/configuration.md lists, and what is warned of because it has no effect yet.
namespace det::spec {

enum class Effect {
  kActs,     // det does what it says
  kTrial,    // det hands it to the trial, whose own code reads it
  kNotYet,   // it is read, kept and shown, and nobody acts on it yet
  kIgnored,  // of older versions, taken without effect
};
// "acts", ... as a sentence for people.
std::string_view EffectText(Effect effect);

struct Key {
  std::string_view path;  // "resources.devices[].mode", "hyperparameters.*"
  std::string_view type;
  std::string_view default_value;  // as YAML; "": none
  std::string_view meaning;
  Effect effect = Effect::kActs;  // of a key below one that has none yet: that one's
};

// Sorted as the guide lists them: a key before those below it.
std::span<const Key> Keys();

}  // namespace det::spec
