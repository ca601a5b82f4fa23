// Runs only in browsers without modules.
window.onload = function () {
  var problem = document.getElementById("problem");
  problem.innerHTML = "This browser is too old for this page: it needs JavaScript modules and WebAssembly. Any browser from 2023 on has both.";
  problem.className = "message";
};
